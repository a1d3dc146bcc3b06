"""Between JSON and tensors: a module for each kind of codec that a signature can name.

    input codec  options              instance                                       tensor
    image        mode, width, height  {"b64": PNG or JPEG}, or pixels 0..255         float32 (C, H, W), 0..1
    latent       size                 {"seed": 7}, {"latent": [...]}, {} for chance  float32 (size,)
    tensor       -                    nested lists of the tensor's shape             the tensor's datatype

    output codec  options    tensor                                    prediction
    classes       labels     (B, K) probabilities                      {"label", "probabilities"}
    image         low, high  (B, C, H, W) in [low, high], C is 1 or 3  {"b64": PNG}, or the PNG itself
    tensor        -          (B, ...)                                  nested lists

A new codec is one function and one line in `DECODERS` or `ENCODERS`. Predictors run this without torch.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from knoll.codecs.classes import encode_classes
from knoll.codecs.example import example_instance, example_request
from knoll.codecs.latent import decode_latent
from knoll.codecs.picture import OVERSHOOT, decode_picture, encode_picture, encode_pictures
from knoll.codecs.reading import Reading
from knoll.codecs.tensor import DTYPES, Array, check_tensor, decode_tensor, encode_tensors, read_typed
from knoll.errors import InvalidInstance
from knoll.records.signature import Signature, Tensor

__all__ = [
    "DECODERS",
    "DTYPES",
    "ENCODERS",
    "OVERSHOOT",
    "Array",
    "Reading",
    "check_tensor",
    "decode",
    "encode",
    "encode_picture",
    "example_instance",
    "example_request",
    "read_typed",
]

DECODERS: Mapping[str, Callable[[Any, Tensor, Reading], Array]] = {
    "image": decode_picture,
    "latent": decode_latent,
    "tensor": decode_tensor,
}
ENCODERS: Mapping[str, Callable[[Array, Tensor], list[Any]]] = {
    "classes": encode_classes,
    "image": encode_pictures,
    "tensor": encode_tensors,
}


def decode(
    instances: Any,
    signature: Signature,
    *,
    first: int = 0,
    reading: Reading = Reading(),  # noqa: B008 - frozen
) -> dict[str, Array]:
    """V1 instances -> one batch (B, ...) for each input. If there are several inputs, an instance is an
    object of values by input name.

    The instances are named from number `first` on. Raises InvalidInstance that names the index and the fault,
    and what `reading` raises.
    """
    if not isinstance(instances, list) or not instances:
        raise InvalidInstance('a V1 request is {"instances": [...]} with at least one instance')
    rows = []
    for index, instance in enumerate(instances, first):
        reading.check()
        rows.append(_decode_one(index, instance, signature.inputs, reading.of_instance(index)))
    try:
        return {tensor.name: np.stack([row[tensor.name] for row in rows]) for tensor in signature.inputs}
    except ValueError as error:
        raise InvalidInstance("the instances have different shapes; send them one by one") from error


def encode(outputs: Mapping[str, Array], signature: Signature) -> list[Any]:
    """Output batches (B, ...) -> B V1 predictions. If there are several outputs, a prediction is an object of
    values by output name."""
    columns = {
        tensor.name: ENCODERS[tensor.codec](outputs[tensor.name], tensor) for tensor in signature.outputs
    }
    if len(columns) == 1:
        return next(iter(columns.values()))
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _decode_one(index: int, instance: Any, inputs: Sequence[Tensor], reading: Reading) -> dict[str, Array]:
    try:
        if len(inputs) == 1:
            return {inputs[0].name: DECODERS[inputs[0].codec](instance, inputs[0], reading)}
        return {
            tensor.name: DECODERS[tensor.codec](_field(instance, tensor.name), tensor, reading)
            for tensor in inputs
        }
    except InvalidInstance as error:
        raise InvalidInstance(f"instance {index}: {error}", fix=error.fix) from error


def _field(instance: Any, name: str) -> Any:
    if not isinstance(instance, dict) or name not in instance:
        raise InvalidInstance(f"it has no field {name!r}")
    return instance[name]
