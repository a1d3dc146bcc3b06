"""Between JSON and tensors: a module with one `Codec` for each kind that a signature can name.

    input codec  options              instance                                       tensor
    basket       file                 {"user": "..."}, or {"items": ["...", "..."]}  int32 (L,)
    image        mode, width, height  {"b64": PNG or JPEG}, or pixels 0..255         float32 (C, H, W), 0..1
    latent       size                 {"seed": 7}, {"latent": [...]}, {} for chance  float32 (size,)
    row          columns, ignored     {"age": 63, "sex": "F"}                        float32 (C, 2)
    series       names, events, …     {"time": "…", "history": {"name": [...]}}      float32 (S + 2 + E, T, 2)
    tensor       -                    nested lists of the tensor's shape             the tensor's datatype
    text         file, is_text        "a text", or {"text": "a text"}                int32 (T,)

    output codec  options    tensor                                    prediction
    classes       labels     (B, K) probabilities                      {"label", "probabilities"}
    image         low, high  (B, C, H, W) in [low, high], C is 1 or 3  {"b64": PNG}, or the PNG itself
    ranking       file, top  (B, top, 2) items and scores              {"items", "scores"}
    series        names, …   (B, S, F, Q) quantiles                    {"name": {"0.5": [...]}}, or a PNG
    tensor        -          (B, ...)                                  nested lists

A new kind is one module and one line in `CODECS`. Predictors run this without torch.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from knoll.codecs.arrays import DTYPES, Array, check_tensor, read_typed
from knoll.codecs.codec import Draw
from knoll.codecs.example import example_instance, example_request
from knoll.codecs.picture import in_grid
from knoll.codecs.reading import Reading
from knoll.codecs.table import CODECS
from knoll.errors import InvalidInstance
from knoll.media_types import JSON
from knoll.records.signature import Signature, Tensor

__all__ = [
    "CODECS",
    "DECODERS",
    "DTYPES",
    "ENCODERS",
    "Array",
    "Reading",
    "check_tensor",
    "decode",
    "encode",
    "encode_picture",
    "example_instance",
    "example_request",
    "first_picture",
    "read_typed",
]

DECODERS = {name: one.decode for name, one in CODECS.items() if one.decode}
ENCODERS = {name: one.encode for name, one in CODECS.items() if one.encode}


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


def encode_picture(outputs: Mapping[str, Array], signature: Signature) -> bytes:
    """The first output that is a picture, as PNG; several instances become a grid. Raises InvalidInstance if
    no output is a picture."""
    tensor, draw = first_picture(signature)
    return in_grid([draw(row, tensor) for row in outputs[tensor.name]])


def first_picture(signature: Signature) -> tuple[Tensor, Draw]:
    """The first output that is a picture, and how it is drawn. Raises InvalidInstance if none is."""
    for one in signature.outputs:
        if draw := CODECS[one.codec].draw:
            return one, draw
    raise InvalidInstance("this model answers no pictures", fix=f"ask for {JSON}")


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
