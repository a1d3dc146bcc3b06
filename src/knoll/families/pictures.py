"""Pictures for families: files to pixels, and pixels to PNG.

The bytes may come from anybody. So only PNG and JPEG are read, the number of pixels is limited before
anything is decoded, and files that cannot be read are named. Nothing here needs torch.
"""

import io
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from knoll.errors import InvalidData

__all__ = [
    "MAX_PIXELS",
    "Pixels",
    "Survey",
    "fit",
    "open_picture",
    "picture_keys",
    "read_pictures",
    "survey",
    "to_grid",
    "to_png",
]

Pixels = NDArray[np.uint8]

MAX_PIXELS = 50_000_000  # of one picture: 150 MB once decoded
_SUFFIXES = {".png", ".jpg", ".jpeg"}
_NAMED_FAULTS = 10


@dataclass(frozen=True)
class Survey:
    """The most common width and height in pixels, and L if every picture is grey, else RGB."""

    width: int
    height: int
    mode: str


def picture_keys(keys: Iterable[str]) -> list[str]:
    """The pictures among the keys, sorted. Names that start with a dot or an underscore are left out, as in
    Hadoop: markers, .DS_Store.

    Raises InvalidData that names files of other kinds.
    """
    visible = sorted(
        key for key in keys if not key.endswith("/") and PurePosixPath(key).name[:1] not in {".", "_"}
    )
    _raise_faults(
        [f"{key} is not a picture" for key in visible if PurePosixPath(key).suffix.lower() not in _SUFFIXES]
    )
    return visible


def open_picture(body: bytes) -> Image.Image:
    """The picture, not yet decoded. Raises ValueError with the reason if it cannot or must not be decoded."""
    try:
        picture = Image.open(io.BytesIO(body), formats=["PNG", "JPEG"])
    except Exception as error:  # Pillow has a dozen types, from struct.error to DecompressionBombError
        raise ValueError("is neither a PNG nor a JPEG, or its header is broken") from error
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise ValueError(f"has {width}×{height} pixels, more than the {MAX_PIXELS:,} that are allowed")
    if picture.mode.startswith(("I", "F")):
        raise ValueError(f"has values of mode {picture.mode}; convert it to 8 bits per channel")
    return picture


def fit(picture: Image.Image, mode: str, width: int, height: int) -> Image.Image:
    """Decode in that mode, L or RGB, and resize (bilinear) if it has another size. Raises ValueError if the
    bytes are broken."""
    try:
        decoded = picture.convert(mode)
    except Exception as error:
        raise ValueError(f"is truncated or corrupt: {error}") from error
    return (
        decoded
        if decoded.size == (width, height)
        else decoded.resize((width, height), Image.Resampling.BILINEAR)
    )


def survey(files: Mapping[str, bytes], keys: Sequence[str]) -> Survey:
    """Size and mode of most pictures, from their headers; unreadable ones do not count. Raises InvalidData if
    none can be read."""
    headers, faults = _each(files, keys, lambda picture: (picture.size, picture.mode))
    if not headers:
        _raise_faults(faults)
    sizes = Counter(size for size, _ in headers)
    (width, height), _ = max(sizes.items(), key=lambda item: (item[1], item[0]))
    is_grey = all(mode in {"1", "L", "LA"} for _, mode in headers)
    return Survey(width, height, "L" if is_grey else "RGB")


def read_pictures(
    files: Mapping[str, bytes], keys: Sequence[str], decode: Callable[[Image.Image], Image.Image]
) -> Pixels:
    """Pixels of all pictures, (N, H, W, C). `decode` must return all of them in one size and mode.

    Raises InvalidData that names the first ten broken files.
    """
    pixels, faults = _each(files, keys, lambda picture: np.asarray(decode(picture), dtype=np.uint8))
    _raise_faults(faults)
    stacked = np.stack(pixels)
    return stacked if stacked.ndim == 4 else stacked[..., np.newaxis]


def _each(
    files: Mapping[str, bytes], keys: Sequence[str], look: Callable[[Image.Image], Any]
) -> tuple[list[Any], list[str]]:
    seen, faults = [], []
    for key in keys:
        try:
            seen.append(look(open_picture(files[key])))
        except ValueError as error:
            faults.append(f"{key} {error}")
    return seen, faults


def _raise_faults(faults: Sequence[str]) -> None:
    if not faults:
        return
    more = len(faults) - _NAMED_FAULTS
    named = "; ".join(faults[:_NAMED_FAULTS]) + (f"; and {more} more" if more > 0 else "")
    raise InvalidData(named, fix="mend or remove these files, and upload the dataset again")


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
