"""Pictures as columns of pixels: as many rows as there is memory for are kept, the others are decoded again
whenever they are asked for."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from PIL import Image

from knoll.families.base import Files, Streamed
from knoll.families.pictures import PictureSurvey, Pixels, read_pictures

__all__ = ["ValueCounts", "decode_pictures"]

Shape = Callable[[Image.Image], Image.Image]


class ValueCounts:
    """How often each value occurs in each channel: mean and deviation of pixels that nobody has together."""

    def __init__(self, channels: int) -> None:
        self._counts = torch.zeros(channels, 256, dtype=torch.float64)

    def add(self, pixels: Pixels) -> None:
        """Count a picture, (C, H, W)."""
        for row, channel in zip(self._counts, pixels, strict=True):
            row += torch.from_numpy(np.bincount(channel.ravel(), minlength=256))

    def statistics(self) -> tuple[list[float], list[float]]:
        """Mean and standard deviation of each channel, of pixels in [0, 1]."""
        values, total = torch.arange(256, dtype=torch.float64) / 255, self._counts[0].sum()
        mean = (self._counts * values).sum(1) / total
        squares = (self._counts * (values - mean[:, None]).square()).sum(1)
        return mean.tolist(), (squares / (total - 1)).sqrt().clamp(min=1e-3).tolist()


def decode_pictures(
    files: Files,
    sides: Sequence[Sequence[str]],
    size: PictureSurvey,
    shape: Shape,
    note: Callable[[Pixels], object] = lambda _: None,
) -> list[Streamed]:
    """A column (N, C, H, W) of each list of keys, and `note` of each picture of the first one. The later
    ones, which are looked at more often, keep their rows first, in a fair share of `files.room`.

    Raises BadFiles as `read_pictures`.
    """
    kept: list[Pixels] = []
    left = files.room
    row = size.channels, size.height, size.width
    for others, keys in reversed([*enumerate(sides)]):
        count = min(len(keys), left // (others + 1) // int(np.prod(row)))
        kept.insert(0, np.empty((count, *row), np.uint8))
        left -= kept[0].nbytes
    places = [(side, number) for side, keys in enumerate(sides) for number in range(len(keys))]

    def use(number: int, pixels: Pixels) -> None:
        side, place = places[number]
        if place < len(kept[side]):
            kept[side][place] = pixels
        if side == 0:
            note(pixels)

    read_pictures(files, [key for keys in sides for key in keys], size, shape, use)
    return [
        Streamed(len(keys), rows, _maker(files, keys, size, shape))
        for keys, rows in zip(sides, kept, strict=True)
    ]


def _maker(
    files: Files, keys: Sequence[str], size: PictureSurvey, shape: Shape
) -> Callable[[Sequence[int]], Pixels]:
    def make(rows: Sequence[int]) -> Pixels:
        pixels = np.empty((len(rows), size.channels, size.height, size.width), np.uint8)
        read_pictures(files, [keys[row] for row in rows], size, shape, pixels.__setitem__)
        return pixels

    return make
