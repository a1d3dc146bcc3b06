"""The codec `image`: PNG, JPEG or pixels in; PNG out.

Pixels are numbers in 0..255. In fractions 0 is black and 1 is white, and booleans are black and white: a
warning says so. Resampling may have carried fractions a little out of 0..1: they are clipped. Fractions
farther out, but at most 16, and whole numbers that are all 0 or 1 could be either, and are refused. Whole
numbers up to 16 are nearly black, or have another white: a warning says so.
"""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from knoll.codecs.arrays import Array, Warn, check_tensor, read_numbers
from knoll.codecs.base64_text import read_base64
from knoll.codecs.codec import Codec
from knoll.codecs.raster import RasterLimits, fit_raster, open_raster
from knoll.codecs.reading import Reading
from knoll.errors import InvalidInstance, InvalidPicture
from knoll.records.signature import Tensor

__all__ = ["IMAGE", "in_grid", "shown_tensor"]

_OVERSHOOT = 0.1  # how far resampling carries fractions out of 0..1
_SLACK = 0.001  # how far rounding carries a tensor out of 0..1
_DARK = 16  # fractions up to this are no pixels of 0..255; some data sets have 8 or 16 for white
_CHANNELS = {"L": 1, "RGB": 3}
_IN_SHELL = r"""{\"b64\": \"$(base64 < picture.png | tr -d '\n')\"}"""
# A request is answered while somebody waits. These pixels take a core two seconds.
_LIMITS = RasterLimits(scanned_pixels=300_000_000)

_MOST_EXAMPLE = 4_000_000  # pixels; of one colour, they are a few KB as PNG


def _decode(value: Any, tensor: Tensor, reading: Reading) -> Array:
    """A picture of any size -> float32 (C, H, W) in [0, 1]. Raises InvalidInstance, and what `reading`
    raises."""
    if isinstance(value, dict) and len(value) == 1 and set(value) <= {"image", "image_bytes"}:
        (value,) = value.values()
    mode, size = tensor.options["mode"], (tensor.options["width"], tensor.options["height"])
    if isinstance(value, str):
        raise InvalidInstance(
            "a picture is no bare text", fix='send {"b64": "..."}, with its bytes in base64'
        )
    if isinstance(value, dict):
        picture = _from_file(value, mode, size, reading)
    else:
        picture = _fitted(_from_pixels(value, reading.warn), mode, size, reading.warn)
    pixels = np.asarray(picture, np.float32).reshape(size[1], size[0], _CHANNELS[mode]) / 255  # (H, W, C)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _encode(batch: Array, tensor: Tensor) -> list[Any]:
    """(B, C, H, W) -> one {"b64": PNG} each."""
    return [_in_json(_drawn(row, tensor)) for row in batch]


def _example(tensor: Tensor) -> Any:
    """A black picture; None if it would be large."""
    width, height = tensor.options["width"], tensor.options["height"]
    if width * height > _MOST_EXAMPLE:
        return None
    return _in_json(Image.new(tensor.options["mode"], (width, height)))


def _fitted_tensor(batch: Array, _: Tensor, warn: Warn) -> Array:
    """The tensor of a picture lies in 0..1. One of 0..255 would be answered, but wrongly."""
    if not batch.size:
        return batch
    low, high = float(batch.min()), float(batch.max())
    most = _OVERSHOOT + _SLACK
    if low < -most or high > 1 + most:
        raise InvalidInstance(
            f"its values lie in {low:g}..{high:g}, those of a picture in 0..1",
            fix="scale them to 0..1: divide pixels by 255 if white is 255",
        )
    if low < -_SLACK or high > 1 + _SLACK:
        warn(f"its values were clipped to 0..1: they lie in {low:g}..{high:g}")
        return batch.clip(0, 1)
    return batch


def in_grid(pictures: Sequence[Image.Image]) -> bytes:
    """A PNG of all of them, which have one size."""
    columns = math.ceil(math.sqrt(len(pictures)))
    width, height = pictures[0].size
    grid = Image.new(pictures[0].mode, (width * columns, height * math.ceil(len(pictures) / columns)))
    for index, picture in enumerate(pictures):
        grid.paste(picture, (index % columns * width, index // columns * height))
    return _to_png(grid)


def _fitted(picture: Image.Image, mode: str, size: tuple[int, int], warn: Warn) -> Image.Image:
    if picture.size != size:
        warn("its {}x{} pixels were resized to {}x{}".format(*picture.size, *size))
    if picture.mode != mode:
        warn("its colours became grey" if mode == "L" else "its grey became colours")
    return fit_raster(picture, mode, *size)


def _from_file(value: Mapping[str, Any], mode: str, size: tuple[int, int], reading: Reading) -> Image.Image:
    if "b64" not in value:
        raise InvalidInstance('a picture is {"b64": "..."} or nested lists of pixels')
    body = read_base64(value["b64"])
    try:
        raster = open_raster(body, _LIMITS)
        with reading.room(len(body) + raster.memory(mode, *size)):
            return _fitted(raster.read(reading.check), mode, size, reading.warn)
    except InvalidPicture as error:
        raise InvalidInstance(f"its picture cannot be read: {error}", fix=error.fix) from error


def _from_pixels(value: Any, warn: Warn) -> Image.Image:
    pixels = read_numbers(value)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    is_picture = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    if not is_picture or not 0 < pixels.size <= 3 * _LIMITS.pixels:
        raise InvalidInstance(
            f"pixels have the shape {list(pixels.shape)}, not [height, width] or [height, width, 3]"
        )
    check_tensor(pixels, pixels.shape)
    return Image.fromarray(np.rint(_scaled(pixels, warn)).astype(np.uint8))


def _scaled(pixels: Array, warn: Warn) -> Array:
    """The pixels in 0..255. Raises InvalidInstance if they lie elsewhere, or if white is unknown."""
    if pixels.dtype.kind == "b":
        warn("true was taken as white and false as black")
        return pixels * 255
    low, high = float(pixels.min()), float(pixels.max())
    has_fractions = bool((pixels % 1).any())
    if high <= _DARK and has_fractions:
        return _from_parts(pixels, low, high, warn)
    if low < 0 or high > 255:
        raise InvalidInstance(f"pixels must lie in 0..255, and these lie in {low:g}..{high:g}")
    if high == 1:
        raise InvalidInstance(
            "its pixels are all 0 or 1, which may be black and white, or both nearly black of 0..255",
            fix="send 0 and 255, or false and true",
        )
    if has_fractions:
        warn("its pixels were taken as numbers in 0..255, and their fractions were rounded")
    elif 0 < high <= _DARK:
        warn(f"its pixels, in {low:g}..{high:g}, were taken as numbers in 0..255: all are nearly black")
    return pixels


def _from_parts(pixels: Array, low: float, high: float, warn: Warn) -> Array:
    if low < -_OVERSHOOT or high > 1 + _OVERSHOOT:
        raise InvalidInstance(
            f"its pixels are fractions in {low:g}..{high:g}",
            fix="send numbers in 0..255, or fractions in 0..1",
        )
    if low < 0 or high > 1:
        clipped = f"clipped to 0..1: they lie in {low:g}..{high:g}"
        warn(f"its pixels were read with 0 as black and 1 as white, and {clipped}")
    else:
        warn("its pixels were read with 0 as black and 1 as white, because all lie in 0..1")
    return pixels.clip(0, 1) * 255


def shown_tensor(row: Array, low: float, high: float) -> Image.Image:
    """(C, H, W) in [low, high] -> a picture."""
    scaled = np.rint((row - low) / (high - low) * 255).clip(0, 255).astype(np.uint8)
    pixels = scaled.transpose(1, 2, 0)  # (H, W, C)
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def _drawn(row: Array, tensor: Tensor) -> Image.Image:
    return shown_tensor(row, tensor.options["low"], tensor.options["high"])


def _in_json(picture: Image.Image) -> dict[str, str]:
    return {"b64": base64.b64encode(_to_png(picture)).decode()}


def _to_png(picture: Image.Image) -> bytes:
    body = io.BytesIO()
    picture.save(body, "PNG")
    return body.getvalue()


IMAGE = Codec(
    "image",
    decode=_decode,
    example=_example,
    usual=(-_SLACK, 1 + _SLACK),
    fitted=_fitted_tensor,
    shell=_IN_SHELL,
    encode=_encode,
    draw=_drawn,
)
