"""Pictures for families: files to pixels, and pixels to PNG.

`knoll.codecs.raster` decodes them, as it does for the predictor. Files that cannot be read are named. Nothing
here needs torch.
"""

import io
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from knoll.codecs.raster import read_raster, survey_raster
from knoll.data_files import why_skipped
from knoll.data_layout import NO_PICTURE, is_picture
from knoll.errors import BadFiles, InvalidPicture

__all__ = [
    "PictureSurvey",
    "Pixels",
    "picture_keys",
    "read_pictures",
    "survey",
    "to_grid",
    "to_png",
    "typical",
]

Pixels = NDArray[np.uint8]

_TYPICAL = 500  # pictures


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
    _raise_faults({key: NO_PICTURE for key in visible if not is_picture(key)})
    return visible


def survey(files: Mapping[str, bytes], keys: Sequence[str]) -> PictureSurvey:
    """Size and mode of most pictures as shown, from their headers; unreadable ones do not count.

    Raises BadFiles if none can be read.
    """
    shapes, faults = _each(files, keys, survey_raster)
    if not shapes:
        _raise_faults(faults)
    sizes = Counter((one.width, one.height) for one in shapes)
    (width, height), _ = max(sizes.items(), key=lambda item: (item[1], item[0]))
    is_grey = all(one.mode == "L" for one in shapes)
    return PictureSurvey(width, height, "L" if is_grey else "RGB")


def typical(keys: Sequence[str]) -> Sequence[str]:
    """Some of the keys, evenly spaced: enough to tell the size of most pictures, but for rare data."""
    return keys[:: len(keys) // _TYPICAL + 1]


def read_pictures(
    files: Mapping[str, bytes],
    keys: Sequence[str],
    size: PictureSurvey,
    shape: Callable[[Image.Image], Image.Image],
) -> Pixels:
    """Pixels of all pictures, (N, C, H, W), in the order of the keys. `shape` must return all of them in that
    size and mode.

    Each picture is decoded into its place, so that only one is in memory at full size. Raises BadFiles that
    names all broken files.
    """
    pixels = np.empty((len(keys), size.channels, size.height, size.width), np.uint8)
    rows = iter(pixels)

    def decode(body: bytes) -> None:
        row, picture = next(rows), np.asarray(shape(read_raster(body)))
        row[:] = picture if size.channels == 1 else picture.transpose(2, 0, 1)

    _, faults = _each(files, keys, decode)
    _raise_faults(faults)
    return pixels


def _each(
    files: Mapping[str, bytes], keys: Sequence[str], look: Callable[[bytes], Any]
) -> tuple[list[Any], dict[str, str]]:
    seen, faults = [], {}
    for key in keys:
        try:
            seen.append(look(files[key]))
        except InvalidPicture as error:
            faults[key] = str(error)
    return seen, faults


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
