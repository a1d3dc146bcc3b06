"""Pictures in one folder per class become pixels and class numbers."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from PIL import Image

from knoll.codecs.raster import fit_raster
from knoll.data_layout import Layout, check_classes, find_layout, listed
from knoll.errors import InvalidData
from knoll.families.base import DataPart, Examples, Files, split_keys
from knoll.families.classifying import count_classes
from knoll.families.image.declaration import ImageClassifierConfig
from knoll.families.picture_rows import ValueCounts, decode_pictures
from knoll.families.pictures import PictureSurvey, picture_keys, survey

__all__ = ["ImageData"]

_LEAST_SIDE = 8
_NAMED = 20  # classes in a note
_LONGEST_SIDE = 96  # pixels, unless the config sets a size: so the largest batch fits into 2Gi


class ImageData(DataPart[ImageClassifierConfig]):
    """A row is (pixels as uint8 (C, H, W), class number)."""

    streams = True

    def examples(self, files: Files, config: ImageClassifierConfig) -> Examples:
        """Decode all pictures and hold out some of each class. Raises InvalidData that names the broken
        files."""
        keys = picture_keys(files)
        layout = find_layout(keys)
        labels = [layout.classes[key] for key in keys]
        classes = check_classes(labels)
        found = survey(files, keys)
        size = _choose_size(found, config)
        sides = _split(keys, layout, config.held_out)
        counts = ValueCounts(size.channels)
        named = [[keys[row] for row in side] for side in sides]
        train, kept = decode_pictures(files, named, size, _shape(size), counts.add)
        places = {name: number for number, name in enumerate(classes)}
        learnt, asked = (torch.tensor([places[labels[row]] for row in side]) for side in sides)
        mean, std = counts.statistics()
        about = {
            "classes": classes,
            "mode": size.mode,
            "width": size.width,
            "height": size.height,
            "mean": mean,
            "std": std,
        }
        return Examples(
            (train, learnt),
            (kept, asked),
            about,
            (*_notes_on_classes(layout), *_notes(found, size)),
        )

    def golden(self, files: Files, about: Mapping[str, Any], config: ImageClassifierConfig) -> Examples:
        """Decode all pictures at the size of the data. Raises InvalidData that names the broken files, or
        classes that the data lacks."""
        keys = picture_keys(files)
        layout = find_layout(keys)
        labels = [layout.classes[key] for key in keys]
        places = {name: number for number, name in enumerate(about["classes"])}
        unknown, absent = sorted(set(labels) - set(places)), sorted(set(places) - set(labels))
        if unknown:
            raise InvalidData(
                f"it has the classes {listed(unknown)}, which the data lacks: add them to the data, or leave "
                "them out of the golden set"
            )
        size = PictureSurvey(about["width"], about["height"], about["mode"])
        (pixels,) = decode_pictures(files, [keys], size, _shape(size))
        rows = pixels, torch.tensor([places[label] for label in labels])
        notes = (f"The golden set has no pictures of the classes {listed(absent)}.",) if absent else ()
        return Examples(rows, rows, about, notes)

    def class_counts(self, examples: Examples) -> Mapping[str, tuple[int, int]]:
        """See `count_classes`."""
        return count_classes(examples)


def _shape(size: PictureSurvey) -> Callable[[Image.Image], Image.Image]:
    return lambda picture: fit_raster(picture, size.mode, size.width, size.height)


def _split(keys: Sequence[str], layout: Layout, share: float) -> tuple[list[int], list[int]]:
    """The places of the rows for training and for scoring: as the splits of the data say, else by key."""
    if not layout.held_out:
        return split_keys(keys, share, [layout.classes[key] for key in keys])
    rows = range(len(keys))
    kept = [row for row in rows if keys[row] in layout.held_out]
    return [row for row in rows if keys[row] not in layout.held_out], kept


def _notes_on_classes(layout: Layout) -> tuple[str, ...]:
    counts = Counter(layout.classes.values())
    named = [f"{name} ({count})" for name, count in sorted(counts.items())]
    classes = f"{len(counts)} classes: {', '.join(named[:_NAMED])}" + (", …" if named[_NAMED:] else "")
    if not layout.held_out:
        return (classes,)
    return (
        classes,
        f"The folders {', '.join(layout.splits)} are used as splits: {len(layout.held_out)} pictures are "
        "held out, and heldOut is not used.",
    )


def _choose_size(found: PictureSurvey, config: ImageClassifierConfig) -> PictureSurvey:
    """What the config says, else the size of most pictures. The larger side is bounded, unless the config
    wants more; very long pictures are squeezed, so that the smaller side stays large enough."""
    longest = max(_LONGEST_SIDE, config.image_width or 0, config.image_height or 0)
    scale = min(1.0, longest / max(found.width, found.height))
    width = config.image_width or _scaled(found.width, scale)
    height = config.image_height or _scaled(found.height, scale)
    if min(width, height) < _LEAST_SIDE:
        raise InvalidData(
            f"the pictures have {width}×{height} pixels, but need at least {_LEAST_SIDE}×{_LEAST_SIDE}",
            fix="use larger pictures, or set imageWidth and imageHeight",
        )
    return PictureSurvey(width, height, config.mode or found.mode)


def _scaled(side: int, scale: float) -> int:
    return max(min(side, _LEAST_SIDE), round(side * scale))


def _notes(found: PictureSurvey, size: PictureSurvey) -> tuple[str, ...]:
    if found.width <= size.width and found.height <= size.height:
        return ()
    return (
        f"Most pictures have {found.width}×{found.height} pixels. They are learnt at "
        f"{size.width}×{size.height}; imageWidth and imageHeight set another size.",
    )
