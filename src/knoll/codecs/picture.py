"""The codec `image`: PNG, JPEG or pixels in; PNG out."""

import base64
import io
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from knoll.codecs.raster import DEFAULT_LIMITS, fit_raster, read_raster
from knoll.codecs.tensor import Array, check_tensor, read_numbers
from knoll.errors import InvalidInstance, InvalidPicture
from knoll.records.signature import Signature, Tensor

__all__ = ["decode_picture", "encode_picture", "encode_pictures"]

_CHANNELS = {"L": 1, "RGB": 3}


def decode_picture(value: Any, tensor: Tensor) -> Array:
    """A picture of any size -> float32 (C, H, W) in [0, 1]. Raises InvalidInstance."""
    if isinstance(value, dict) and len(value) == 1 and set(value) <= {"image", "image_bytes"}:
        (value,) = value.values()
    picture = _open_picture(value) if isinstance(value, dict) else _from_pixels(value)
    mode, size = tensor.options["mode"], (tensor.options["width"], tensor.options["height"])
    picture = fit_raster(picture, mode, *size)
    pixels = np.asarray(picture, np.float32).reshape(size[1], size[0], _CHANNELS[mode]) / 255  # (H, W, C)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def encode_pictures(batch: Array, tensor: Tensor) -> list[Any]:
    """(B, C, H, W) -> one {"b64": PNG} each."""
    return [{"b64": base64.b64encode(_to_png(_to_picture(row, tensor))).decode()} for row in batch]


def encode_picture(outputs: Mapping[str, Array], signature: Signature) -> bytes:
    """The first output that is a picture, as PNG; several instances become a grid. Raises InvalidInstance if
    no output is a picture."""
    tensor = next((one for one in signature.outputs if one.codec == "image"), None)
    if tensor is None:
        raise InvalidInstance("this model answers no pictures", fix="ask for application/json")
    pictures = [_to_picture(row, tensor) for row in outputs[tensor.name]]
    columns = math.ceil(math.sqrt(len(pictures)))
    width, height = pictures[0].size
    grid = Image.new(pictures[0].mode, (width * columns, height * math.ceil(len(pictures) / columns)))
    for index, picture in enumerate(pictures):
        grid.paste(picture, (index % columns * width, index // columns * height))
    return _to_png(grid)


def _open_picture(value: Mapping[str, Any]) -> Image.Image:
    try:
        body = base64.b64decode(value["b64"], validate=True)
    except KeyError as error:
        raise InvalidInstance('a picture is {"b64": "..."} or nested lists of pixels') from error
    except (TypeError, ValueError) as error:
        raise InvalidInstance("b64 is not the base64 of a whole PNG or JPEG") from error
    try:
        return read_raster(body)
    except InvalidPicture as error:
        raise InvalidInstance(f"its picture cannot be read: {error}", fix=error.fix) from error


def _from_pixels(value: Any) -> Image.Image:
    pixels = read_numbers(value)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    is_picture = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    if not is_picture or not 0 < pixels.size <= 3 * DEFAULT_LIMITS.pixels:
        raise InvalidInstance(
            f"pixels have the shape {list(pixels.shape)}, not [height, width] or [height, width, 3]"
        )
    check_tensor(pixels, pixels.shape)
    if pixels.min() < 0 or pixels.max() > 255:
        raise InvalidInstance("pixels must lie in 0..255")
    return Image.fromarray(np.rint(pixels).astype(np.uint8))


def _to_picture(row: Array, tensor: Tensor) -> Image.Image:
    low, high = tensor.options["low"], tensor.options["high"]
    scaled = np.rint((row - low) / (high - low) * 255).clip(0, 255).astype(np.uint8)
    pixels = scaled.transpose(1, 2, 0)  # (H, W, C)
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def _to_png(picture: Image.Image) -> bytes:
    body = io.BytesIO()
    picture.save(body, "PNG")
    return body.getvalue()
