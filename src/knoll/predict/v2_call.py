"""ModelInfer, the call of the Open Inference Protocol by gRPC: the fields of a V2 request in another coat."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import orjson

from knoll.codecs import DTYPES, Array, Reading
from knoll.errors import InvalidInstance, NotFound
from knoll.headers import CONTENT_TYPE
from knoll.media_types import GRPC
from knoll.predict.answer import Answer, told_in_header
from knoll.predict.texts import in_raw
from knoll.predict.v2 import Inference, read_inference
from knoll.predict.v2_input import MOST_SIDES
from knoll.records.signature import BYTES, Signature
from knoll.rpc.framing import frame, unframed
from knoll.rpc.messages import INFERENCE, MESSAGES, SERVICES
from knoll.rpc.reading import Packed, decode, numbers
from knoll.rpc.writing import encode
from knoll.v2_parameters import BINARY_OUTPUT

__all__ = ["answer_call", "checked_call", "memory_of_typed", "read_call"]

_INFER = SERVICES[INFERENCE]["ModelInfer"]
_NUMBER = 64  # bytes of memory that a byte of a typed tensor may take while it is read
_LONGEST_SIDE = 10  # bytes of a number
_CONTENTS = {  # by datatype: the field of a typed tensor, and the kind of its numbers, if it has numbers
    "BOOL": ("bool_contents", "bool"),
    "UINT8": ("uint_contents", "uint32"),
    "INT8": ("int_contents", "int32"),
    "INT16": ("int_contents", "int32"),
    "INT32": ("int_contents", "int32"),
    "INT64": ("int64_contents", "int64"),
    "FP32": ("fp32_contents", "float"),
    "FP64": ("fp64_contents", "double"),
    BYTES: ("bytes_contents", ""),
}


def read_call(
    body: bytes,
    headers: Mapping[str, str],
    signature: Signature,
    about: Mapping[str, str],
    keep: Callable[[int], None],
    reading: Reading = Reading(),  # noqa: B008 - frozen
) -> Inference:
    """Read the request. If its tensors are raw, those of the answer will be. `about` has the names of model
    and version; `keep` is told the bytes of memory that typed tensors take. Raises InvalidInstance, NotFound,
    and what `keep` and `reading` raise."""
    call = checked_call(unframed(body), about)
    raw = call.get("raw_input_contents", [])
    inputs = [_described(one) for one in call.get("inputs", [])]
    if not inputs:
        raise InvalidInstance("the call has no inputs", fix="ModelMetadata shows them")
    if len(raw) not in (0, len(inputs)):
        raise InvalidInstance(f"there are {len(inputs)} inputs, and {len(raw)} raw_input_contents")
    parts = iter(raw)

    def raw_of(described: Mapping[str, Any], _: Mapping[str, Any]) -> memoryview | None:
        part, contents = next(parts, None), described["contents"]
        if contents and part is not None:
            raise InvalidInstance(f"input {described['name']!r} has contents beside raw_input_contents")
        return part if part is not None else _typed(contents, described, keep)

    request = {
        "id": call.get("id"),
        "parameters": {BINARY_OUTPUT: bool(raw), **_plain(call.get("parameters"))},
        "inputs": inputs,
        "outputs": [
            {"name": one.get("name", ""), "parameters": _plain(one.get("parameters"))}
            for one in call.get("outputs", [])
        ],
    }
    return read_inference(request, headers, signature, raw_of, reading)


def checked_call(message: memoryview, about: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a call for that model and version. Raises InvalidInstance, NotFound."""
    call = decode(message, _INFER.takes, MESSAGES)
    if (name := call.get("model_name", "")) != about["model_name"]:
        raise NotFound(f"there is no model {name[:100]!r} here; this is {about['model_name']}")
    if (version := call.get("model_version", "")) not in ("", about["model_version"]):
        raise NotFound(f"version {version[:100]!r} is not here; this is {about['model_version']}")
    return call


def memory_of_typed(call: Mapping[str, Any]) -> int:
    """The bytes of memory that its typed tensors may take while they are read."""
    contents = (part for one in call.get("inputs", ()) for part in one.get("contents", {}).values())
    return _NUMBER * sum(len(one) for part in contents for one in part)


def answer_call(
    request: Inference, outputs: Mapping[str, Array], signature: Signature, about: Mapping[str, str]
) -> Answer:
    """The outputs that the request names: all of them raw, if one of them is wanted so, or has no typed
    form."""
    tensors = {one.name: one for one in signature.outputs}
    wanted = [tensors[name] for name in request.outputs]
    is_raw = any(request.outputs.values()) or any(one.datatype not in _CONTENTS for one in wanted)
    described, raw = [], []
    for tensor in wanted:
        batch = outputs[tensor.name].astype(DTYPES[tensor.datatype], copy=False)
        shown: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype, "shape": [*batch.shape]}
        if request.describes:
            shown["parameters"] = {
                name: {"string_param": value if isinstance(value, str) else orjson.dumps(value).decode()}
                for name, value in {"codec": tensor.codec, **tensor.options}.items()
            }
        if is_raw:
            raw.append(batch.tobytes())
        else:
            shown["contents"] = {_CONTENTS[tensor.datatype][0]: batch.ravel()}
        described.append(shown)
    told = {**about, "id": request.id, "outputs": described, "raw_output_contents": raw}
    message = encode(told, _INFER.answers, MESSAGES)
    return Answer(200, frame(message), {CONTENT_TYPE: GRPC, **told_in_header(request.warnings)})


def _described(tensor: Mapping[str, Any]) -> dict[str, Any]:
    name, sides = tensor.get("name", ""), tensor.get("shape", Packed())
    if sum(map(len, sides)) > _LONGEST_SIDE * MOST_SIDES:
        raise InvalidInstance(f"input {name[:100]!r}: its shape has more than {MOST_SIDES} sides")
    return {
        "name": name,
        "datatype": tensor.get("datatype"),
        "shape": numbers(sides, "int64").tolist(),
        "parameters": _plain(tensor.get("parameters")),
        "contents": tensor.get("contents", {}),
    }


def _plain(parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """The value of each parameter, whatever its type."""
    return {name: next(iter(choice.values()), None) for name, choice in (parameters or {}).items()}


def _typed(
    contents: Mapping[str, Any], described: Mapping[str, Any], keep: Callable[[int], None]
) -> memoryview | None:
    """The numbers or texts of a typed tensor, as raw bytes; None if it has none."""
    name, kind = _CONTENTS.get(described["datatype"] or "", ("", ""))
    if odd := [one for one in contents if one != name]:
        where = f"send {name}, or raw_input_contents" if name else "send raw_input_contents"
        raise InvalidInstance(f"input {described['name']!r} has {odd[0]}", fix=where)
    if name not in contents:
        return None
    if described["datatype"] == BYTES:
        return in_raw(contents[name])
    keep(_NUMBER * sum(map(len, contents[name])))
    found, dtype = numbers(contents[name], kind), np.dtype(DTYPES[described["datatype"]])
    array = found.astype(dtype, copy=False)
    if not np.array_equal(array, found, equal_nan=dtype.kind == "f"):
        raise InvalidInstance(
            f"input {described['name']!r}: a number is too large for {described['datatype']}"
        )
    return memoryview(array.tobytes())
