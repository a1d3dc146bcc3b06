"""The image classifier, made of its parts."""

from knoll.families.base import Family
from knoll.families.image.data import ImageData
from knoll.families.image.declaration import ImageClassifierConfig, ImageDeclaration
from knoll.families.image.export import ImageExport
from knoll.families.image.learning import ImageLearning

__all__ = ["ImageClassifier"]


class ImageClassifier(ImageDeclaration, ImageData, ImageLearning, ImageExport, Family[ImageClassifierConfig]):
    """The family `image-classifier`. A batch is (pixels as uint8 (B, C, H, W), class numbers (B,))."""
