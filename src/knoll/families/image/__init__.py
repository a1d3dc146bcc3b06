"""Image classification: pictures in one folder per class, and a small convolutional network."""

from knoll.families.base import Family, less, more
from knoll.families.image.config import ImageClassifierConfig
from knoll.families.image.data import ImageData
from knoll.families.image.export import ImageExport
from knoll.families.image.learning import ImageLearning

__all__ = ["ImageClassifier", "ImageClassifierConfig"]


class ImageClassifier(ImageData, ImageLearning, ImageExport, Family[ImageClassifierConfig]):
    """The family `image-classifier`. A batch is (pixels as uint8 (B, C, H, W), class numbers (B,))."""

    name = "image-classifier"
    task = "image-classification"
    metrics = (more("accuracy", 0, 1), less("loss", 0), more("macro_f1", 0, 1))
