"""Between JSON and tensors: one function for each codec that a signature can name.

    input codec  options              instance                                       tensor
    image        mode, width, height  {"b64": PNG or JPEG}, or pixels 0..255         float32 (C, H, W), 0..1
    latent       size                 {"seed": 7}, {"latent": [...]}, {} for chance  float32 (size,)
    tensor       -                    nested lists of the tensor's shape             the tensor's datatype

    output codec  options    tensor                                    prediction
    classes       labels     (B, K) probabilities                      {"label", "probabilities"}
    image         low, high  (B, C, H, W) in [low, high], C is 1 or 3  {"b64": PNG}, or the PNG itself
    tensor        -          (B, ...)                                  nested lists

A new codec is one function and one line in `DECODERS` or `ENCODERS`. torch is not needed here, and is not
there when this runs.
"""

import base64
import io
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from knoll.errors import InvalidInstance
from knoll.records.signature import Signature, Tensor

__all__ = ["DECODERS", "DTYPES", "ENCODERS", "check_tensor", "decode", "encode", "encode_picture"]

Array = NDArray[Any]

DTYPES: Mapping[str, type[np.generic]] = {
    "BOOL": np.bool_,
    "UINT8": np.uint8,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
}
_MOST_PIXELS = 50_000_000
_CHANNELS = {"L": 1, "RGB": 3}


def decode(instances: Any, signature: Signature) -> dict[str, Array]:
    """V1 instances as one batch per input. With several inputs an instance is an object of values by input
    name.

    Raises InvalidInstance that names the index and the fault.
    """
    if not isinstance(instances, list) or not instances:
        raise InvalidInstance('a V1 request is {"instances": [...]} with at least one instance')
    rows = [_decode_one(index, instance, signature.inputs) for index, instance in enumerate(instances)]
    try:
        return {tensor.name: np.stack([row[tensor.name] for row in rows]) for tensor in signature.inputs}
    except ValueError as error:
        raise InvalidInstance("the instances have different shapes; send them one by one") from error


def encode(outputs: Mapping[str, Array], signature: Signature) -> list[Any]:
    """Output batches as V1 predictions. With several outputs a prediction is an object of values by output
    name."""
    columns = {
        tensor.name: ENCODERS[tensor.codec](outputs[tensor.name], tensor) for tensor in signature.outputs
    }
    if len(columns) == 1:
        return next(iter(columns.values()))
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def encode_picture(outputs: Mapping[str, Array], signature: Signature) -> bytes:
    """The first picture that the graph puts out as PNG; several instances as a grid. Raises InvalidInstance
    when there is none."""
    tensor = next((one for one in signature.outputs if one.codec == "image"), None)
    if tensor is None:
        raise InvalidInstance("this model answers no pictures", fix="ask for application/json")
    pictures = [_picture(row, tensor) for row in outputs[tensor.name]]
    columns = math.ceil(math.sqrt(len(pictures)))
    width, height = pictures[0].size
    grid = Image.new(pictures[0].mode, (width * columns, height * math.ceil(len(pictures) / columns)))
    for index, picture in enumerate(pictures):
        grid.paste(picture, (index % columns * width, index // columns * height))
    return _png(grid)


def check_tensor(array: Array, shape: Sequence[int]) -> None:
    """Compare an array with a shape in which -1 is any size. Raises InvalidInstance, also for NaN and
    infinity."""
    if len(array.shape) != len(shape) or any(
        wanted not in (-1, found) for wanted, found in zip(shape, array.shape, strict=True)
    ):
        raise InvalidInstance(f"the shape is {list(array.shape)}, not {list(shape)}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InvalidInstance("NaN or infinity")


def _decode_one(index: int, instance: Any, inputs: Sequence[Tensor]) -> dict[str, Array]:
    try:
        if len(inputs) == 1:
            return {inputs[0].name: DECODERS[inputs[0].codec](instance, inputs[0])}
        return {
            tensor.name: DECODERS[tensor.codec](_field(instance, tensor.name), tensor) for tensor in inputs
        }
    except InvalidInstance as error:
        raise InvalidInstance(f"instance {index}: {error}", fix=error.fix) from error


def _field(instance: Any, name: str) -> Any:
    if not isinstance(instance, dict) or name not in instance:
        raise InvalidInstance(f"it has no field {name!r}")
    return instance[name]


def _decode_image(value: Any, tensor: Tensor) -> Array:
    if isinstance(value, dict) and len(value) == 1 and set(value) <= {"image", "image_bytes"}:
        (value,) = value.values()
    picture = _open_picture(value) if isinstance(value, dict) else _from_pixels(value)
    mode, size = tensor.options["mode"], (tensor.options["width"], tensor.options["height"])
    picture = picture.convert(mode)
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.BILINEAR)
    pixels = np.asarray(picture, np.float32).reshape(size[1], size[0], _CHANNELS[mode]) / 255  # (H, W, C)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _open_picture(value: Mapping[str, Any]) -> Image.Image:
    try:
        picture = Image.open(
            io.BytesIO(base64.b64decode(value["b64"], validate=True)), formats=("PNG", "JPEG")
        )
        if picture.width * picture.height > _MOST_PIXELS:
            raise InvalidInstance(f"the picture has more than {_MOST_PIXELS:,} pixels")
        picture.load()
    except KeyError as error:
        raise InvalidInstance('a picture is {"b64": "..."} or nested lists of pixels') from error
    except InvalidInstance:
        raise
    except Exception as error:  # Pillow raises many kinds, SyntaxError and struct.error among them
        raise InvalidInstance("b64 is not the base64 of a whole PNG or JPEG") from error
    if picture.mode.startswith(("I", "F")):
        raise InvalidInstance("the picture has more than 8 bits per channel", fix="save it with 8 bits")
    return picture


def _from_pixels(value: Any) -> Image.Image:
    pixels = _numbers(value)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if (
        not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3))
        or not 0 < pixels.size <= 3 * _MOST_PIXELS
    ):
        raise InvalidInstance(
            f"pixels have the shape {list(pixels.shape)}, not [height, width] or [height, width, 3]"
        )
    check_tensor(pixels, pixels.shape)
    if pixels.min() < 0 or pixels.max() > 255:
        raise InvalidInstance("pixels must lie in 0..255")
    return Image.fromarray(np.rint(pixels).astype(np.uint8))


def _decode_latent(value: Any, tensor: Tensor) -> Array:
    size = tensor.options["size"]
    if not isinstance(value, dict) or not set(value) <= {"seed", "latent"} or len(value) > 1:
        raise InvalidInstance('a latent is {"seed": 7}, {"latent": [...]} or {}')
    if "latent" in value:
        return _typed(value["latent"], "FP32", (size,))
    seed = value.get("seed")
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**63):
        raise InvalidInstance("seed must be a whole number from 0 to 2^63 - 1")
    latent: Array = np.asarray(np.random.default_rng(seed).standard_normal(size, np.float32))
    return latent


def _decode_tensor(value: Any, tensor: Tensor) -> Array:
    return _typed(value, tensor.datatype, tensor.shape[1:])


def _typed(value: Any, datatype: str, shape: Sequence[int]) -> Array:
    numbers = _numbers(value)
    dtype = DTYPES[datatype]
    if not np.can_cast(numbers.dtype, dtype, "same_kind"):
        raise InvalidInstance(f"its numbers are no {datatype}")
    if (
        np.issubdtype(dtype, np.integer)
        and numbers.size
        and not np.array_equal(numbers, numbers.astype(dtype))
    ):
        raise InvalidInstance(f"a number is too large for {datatype}")
    with np.errstate(over="ignore"):
        array = numbers.astype(dtype)
    check_tensor(array, shape)
    return array


def _numbers(value: Any) -> Array:
    try:
        numbers = np.asarray(value)
    except (ValueError, OverflowError, RecursionError) as error:
        raise InvalidInstance("its lists have different lengths") from error
    if numbers.dtype.kind not in "biuf":
        raise InvalidInstance("it is not made of numbers")
    return numbers


def _encode_classes(batch: Array, tensor: Tensor) -> list[Any]:
    labels = [str(label) for label in tensor.options["labels"]]
    return [
        {
            "label": labels[int(row.argmax())],
            "probabilities": dict(zip(labels, row.astype(float).tolist(), strict=True)),
        }
        for row in batch
    ]


def _encode_image(batch: Array, tensor: Tensor) -> list[Any]:
    return [{"b64": base64.b64encode(_png(_picture(row, tensor))).decode()} for row in batch]


def _encode_tensor(batch: Array, tensor: Tensor) -> list[Any]:  # noqa: ARG001
    return list(batch.tolist())


def _picture(row: Array, tensor: Tensor) -> Image.Image:
    low, high = tensor.options["low"], tensor.options["high"]
    pixels = (
        np.rint((row - low) / (high - low) * 255).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)
    )  # (H, W, C)
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def _png(picture: Image.Image) -> bytes:
    body = io.BytesIO()
    picture.save(body, "PNG")
    return body.getvalue()


DECODERS: Mapping[str, Callable[[Any, Tensor], Array]] = {
    "image": _decode_image,
    "latent": _decode_latent,
    "tensor": _decode_tensor,
}
ENCODERS: Mapping[str, Callable[[Array, Tensor], list[Any]]] = {
    "classes": _encode_classes,
    "image": _encode_image,
    "tensor": _encode_tensor,
}
