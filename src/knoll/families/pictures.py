"""Pictures for families: files to pixels, and pixels to PNG.

`knoll.codecs.raster` decodes them, as it does for the predictor. Files that cannot be read are named.
"""

import io
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from knoll.codecs.raster import Shape, open_raster, survey_raster
from knoll.data_files import why_skipped
from knoll.data_kinds import is_picture, no_picture
from knoll.errors import BadFiles
from knoll.families.base.files import Files

__all__ = [
    "PictureSurvey",
    "Pixels",
    "picture_keys",
    "read_pictures",
    "survey",
    "to_grid",
    "to_png",
]

Pixels = NDArray[np.uint8]

_LARGE = 16 * 2**20  # bytes of a picture while it is decoded


@dataclass(frozen=True)
class PictureSurvey:
    """The most common width and height in pixels, and L if every picture is grey, else RGB."""

    width: int
    height: int
    mode: str

    @property
    def channels(self) -> int:
        """1 for grey, 3 for colours."""
        return 1 if self.mode == "L" else 3


def picture_keys(keys: Iterable[str]) -> list[str]:
    """The pictures among the keys, sorted. What `why_skipped` knows is left out.

    Raises BadFiles that names files of other kinds.
    """
    visible = sorted(key for key in keys if why_skipped(key) is None)
    _raise_faults({key: no_picture(key) for key in visible if not is_picture(key)})
    return visible


def survey(files: Files, keys: Sequence[str]) -> PictureSurvey:
    """Size and mode of most pictures as shown, from their headers; unreadable ones do not count.

    Raises BadFiles if none can be read.
    """
    shapes: Counter[Shape] = Counter()
    faults = files.each(keys, survey_raster, lambda _, shape: shapes.update([shape]))
    if not shapes:
        _raise_faults(faults)
    sizes: Counter[tuple[int, int]] = Counter()
    for shape, count in shapes.items():
        sizes[shape.width, shape.height] += count
    (width, height), _ = max(sizes.items(), key=lambda item: (item[1], item[0]))
    return PictureSurvey(width, height, "L" if all(one.mode == "L" for one in shapes) else "RGB")


def read_pictures(
    files: Files,
    keys: Sequence[str],
    size: PictureSurvey,
    shape: Callable[[Image.Image], Image.Image],
    use: Callable[[int, Pixels], object],
) -> None:
    """Call `use` with the number of each picture in `keys` and its pixels, (C, H, W), in the order in which
    they are read fastest. `shape` must return all pictures in that size and mode.

    One large picture at a time is in memory at full size. Raises BadFiles that names all broken files.
    """
    turn = threading.Lock()

    def decode(body: bytes) -> Pixels:
        raster = open_raster(body)
        is_large = raster.memory(size.mode, size.width, size.height) > _LARGE
        with turn if is_large else nullcontext():
            picture = np.asarray(shape(raster.read()))
        return picture[None] if size.channels == 1 else picture.transpose(2, 0, 1)

    _raise_faults(files.each(keys, decode, use))


def _raise_faults(faults: Mapping[str, str]) -> None:
    if faults:
        raise BadFiles(faults)


def to_png(pixels: Pixels) -> bytes:
    """(H, W), (H, W, 1) or (H, W, 3) -> PNG."""
    body = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels).save(body, "PNG")
    return body.getvalue()


def to_grid(pixels: Pixels, *, gap: int = 2) -> bytes:
    """(N, H, W, C) -> PNG with the pictures in a square, row by row, on white."""
    count, height, width, channels = pixels.shape
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet = np.full(
        (rows * (height + gap) + gap, columns * (width + gap) + gap, channels), 255, dtype=np.uint8
    )
    for place, picture in enumerate(pixels):
        top, left = gap + place // columns * (height + gap), gap + place % columns * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return to_png(sheet)
