"""Image classification: pictures in one folder per class, and a small convolutional network."""

from knoll.families.base import Family
from knoll.families.image.config import ImageClassifierConfig
from knoll.families.image.data import ImageData
from knoll.families.image.export import ImageExport
from knoll.families.image.learning import ImageLearning

__all__ = ["ImageClassifier", "ImageClassifierConfig"]


class ImageClassifier(ImageData, ImageLearning, ImageExport, Family[ImageClassifierConfig]):
    """The family `image-classifier`. A batch is (pixels as uint8 (B, C, H, W), class numbers (B,))."""

    name = "image-classifier"
    task = "image-classification"
    metrics = ("accuracy", "loss", "macro_f1")
