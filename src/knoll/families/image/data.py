"""Pictures in one folder per class become pixels and class numbers."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import torch

from knoll.codecs.raster import fit_raster
from knoll.errors import InvalidData
from knoll.families.base import DataPart, Examples, Files, split_examples
from knoll.families.image.config import ImageClassifierConfig
from knoll.families.pictures import Survey, picture_keys, read_pictures, survey

__all__ = ["ImageData"]

_LEAST_SIDE = 8


class ImageData(DataPart[ImageClassifierConfig]):
    """A row is (pixels as uint8 (C, H, W), class number)."""

    config_type = ImageClassifierConfig

    def examples(self, files: Files, config: ImageClassifierConfig) -> Examples:
        """Decode all pictures and hold out some of each class. Raises InvalidData that names the broken
        files."""
        keys = picture_keys(files)
        labels = [_class_of(key) for key in keys]
        classes = _classes(labels)
        size = _choose_size(survey(files, keys), config)
        decoded = read_pictures(files, keys, lambda one: fit_raster(one, size.mode, size.width, size.height))
        pixels = torch.from_numpy(decoded).permute(0, 3, 1, 2)
        targets = torch.tensor([classes.index(label) for label in labels])
        examples = split_examples((pixels, targets), keys, config.held_out, labels)
        mean, std = _statistics(examples.train[0])
        about = {
            "classes": classes,
            "mode": size.mode,
            "width": size.width,
            "height": size.height,
            "mean": mean,
            "std": std,
        }
        return replace(examples, about=about)


def _class_of(key: str) -> str:
    folder = PurePosixPath(key).parent.name
    if not folder:
        raise InvalidData(f"{key} lies in no folder", fix="the folder is the class: <class>/<name>.png")
    return folder


def _classes(labels: Sequence[str]) -> list[str]:
    counts = Counter(labels)
    if len(counts) < 2:
        raise InvalidData(
            f"the data has {len(counts)} classes, but needs at least two",
            fix="make one folder per class: <class>/<name>.png",
        )
    lonely = sorted(label for label, count in counts.items() if count < 2)
    if lonely:
        raise InvalidData(
            f"there is only one picture in class {', '.join(lonely)}",
            fix="add a second one: one is for training, one for scoring",
        )
    return sorted(counts)


def _choose_size(found: Survey, config: ImageClassifierConfig) -> Survey:
    size = Survey(
        config.image_width or found.width, config.image_height or found.height, config.mode or found.mode
    )
    if min(size.width, size.height) < _LEAST_SIDE:
        raise InvalidData(
            f"the pictures have {size.width}×{size.height} pixels, but need at least "
            f"{_LEAST_SIDE}×{_LEAST_SIDE}",
            fix="use larger pictures, or set imageWidth and imageHeight",
        )
    return size


def _statistics(pixels: torch.Tensor) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel, of pixels in [0, 1]."""
    flat = pixels.transpose(0, 1).flatten(1).float() / 255  # (C, N·H·W)
    return flat.mean(1).tolist(), flat.std(1).clamp(min=1e-3).tolist()
