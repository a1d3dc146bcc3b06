"""The V2 protocol (Open Inference Protocol): named tensors in and out, as JSON or in binary form."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from knoll.codecs import DTYPES, Array, Reading
from knoll.errors import InvalidInstance
from knoll.headers import CONTENT_TYPE, LENGTH_OF_JSON, REQUEST_ID
from knoll.media_types import ANY_BYTES
from knoll.predict.answer import Answer, in_json, told_in_header
from knoll.predict.json_body import read_json
from knoll.predict.v2_input import read_input
from knoll.records.signature import Signature, Tensor
from knoll.v2_parameters import BINARY, BINARY_OUTPUT, BINARY_SIZE, DESCRIBE_OUTPUTS

__all__ = ["Inference", "answer_v2", "read_inference", "read_v2", "split_v2"]

_RawOf = Callable[[Mapping[str, Any], Mapping[str, Any]], memoryview | None]
_RIGHT = 'send {"inputs": [{"name", "shape", "datatype", "data"}]} as JSON'


@dataclass(frozen=True)
class Inference:
    """A V2 request. `outputs` has whether each is wanted in binary form, in the order of the answer.
    `warnings` say what was changed of the inputs. If it `describes`, the answer also says what its tensors
    mean."""

    id: str
    inputs: Mapping[str, Array]
    outputs: Mapping[str, bool]
    warnings: tuple[str, ...] = ()
    describes: bool = False


def read_v2(
    body: bytes,
    headers: Mapping[str, str],
    signature: Signature,
    keep: Callable[[int], None],
    reading: Reading = Reading(),  # noqa: B008 - frozen
) -> Inference:
    """Read the request. `keep` is told the bytes of memory that its JSON takes. Raises InvalidInstance that
    names the tensor and the fault, and what `keep` and `reading` raise."""
    head, raw = split_v2(body, headers.get(LENGTH_OF_JSON))
    request = read_json(head, _RIGHT, keep)
    if not isinstance(request, dict):
        raise InvalidInstance("a V2 request is an object", fix=_RIGHT)
    tail = _Tail(raw)
    read = read_inference(request, headers, signature, tail.take, reading)
    if tail.raw:
        raise InvalidInstance(f"{len(tail.raw)} bytes follow the last binary tensor")
    return read


def read_inference(
    request: Mapping[str, Any],
    headers: Mapping[str, str],
    signature: Signature,
    raw_of: _RawOf,
    reading: Reading = Reading(),  # noqa: B008 - frozen
) -> Inference:
    """Read the fields of a request, whatever they came in. `raw_of` takes the raw bytes of each input, if it
    has any. Raises InvalidInstance, as `read_v2`."""
    number = request.get("id")
    if number is not None and not isinstance(number, str):
        raise InvalidInstance("id is no text")
    parameters = _parameters(request, "the request")
    is_binary = _flag(parameters, BINARY_OUTPUT, default=False)
    warnings: list[str] = []
    return Inference(
        number or headers.get(REQUEST_ID) or str(uuid.uuid4()),
        _inputs(request.get("inputs"), raw_of, signature, replace(reading, warn=warnings.append)),
        _outputs(request.get("outputs"), signature, default=is_binary),
        tuple(warnings),
        _flag(parameters, DESCRIBE_OUTPUTS, default=False),
    )


def answer_v2(request: Inference, outputs: Mapping[str, Array], signature: Signature, about: Any) -> Answer:
    """The outputs that the request names; binary ones follow the JSON. `about` has the names of model and
    version."""
    tensors = {one.name: one for one in signature.outputs}
    described, tail = [], []
    for name, is_binary in request.outputs.items():
        tensor, batch = tensors[name], outputs[name].astype(DTYPES[tensors[name].datatype], copy=False)
        shown: dict[str, Any] = {"name": name, "shape": list(batch.shape), "datatype": tensor.datatype}
        parameters = {"codec": tensor.codec, **tensor.options} if request.describes else {}
        if is_binary:
            tail.append(batch.tobytes())
            described.append({**shown, "parameters": {**parameters, BINARY_SIZE: batch.nbytes}})
        else:
            shown |= {"parameters": parameters} if parameters else {}
            described.append({**shown, "data": batch.ravel().tolist()})
    answer = in_json(200, {**about, "id": request.id, "outputs": described}, told_in_header(request.warnings))
    if not tail:
        return answer
    headers = {**answer.headers, CONTENT_TYPE: ANY_BYTES, LENGTH_OF_JSON: str(len(answer.body))}
    return Answer(200, b"".join([answer.body, *tail]), headers)


def split_v2(body: bytes, length: str | None) -> tuple[bytes, memoryview]:
    """The JSON, and the raw tensors behind it. Raises InvalidInstance if `length` is none."""
    if length is None:
        return body, memoryview(b"")
    if not (length.isascii() and length.isdigit() and len(length) < 20 and int(length) <= len(body)):
        raise InvalidInstance(
            f"{LENGTH_OF_JSON} is no length of JSON in a body of {len(body)} bytes",
            fix="it is the number of bytes before the first binary tensor",
        )
    return body[: int(length)], memoryview(body)[int(length) :]


class _Tail:
    """The bytes behind the JSON that no tensor has taken."""

    def __init__(self, raw: memoryview) -> None:
        self.raw = raw

    def take(self, described: Mapping[str, Any], parameters: Mapping[str, Any]) -> memoryview | None:
        """Those of the next tensor, if it is in binary form."""
        size = parameters.get(BINARY_SIZE)
        if size is None:
            return None
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(self.raw):
            raise InvalidInstance(
                f"{BINARY_SIZE} of input {described['name']!r} is no number of bytes up to the "
                f"{len(self.raw)} that follow"
            )
        mine, self.raw = self.raw[:size], self.raw[size:]
        return mine


def _inputs(found: Any, raw_of: _RawOf, signature: Signature, reading: Reading) -> dict[str, Array]:
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found) or not found:
        raise InvalidInstance("inputs is no list of tensors", fix=_RIGHT)
    tensors, read = {one.name: one for one in signature.inputs}, {}
    for one in found:
        tensor = _known(one.get("name"), tensors, "input")
        if tensor.name in read:
            raise InvalidInstance(f"input {tensor.name!r} comes twice")
        parameters = _parameters(one, f"input {tensor.name!r}")
        read[tensor.name] = read_input(one, raw_of(one, parameters), tensor, reading)
    if missing := [name for name in tensors if name not in read]:
        raise InvalidInstance(f"there is no input {missing[0]!r}")
    if len({len(batch) for batch in read.values()}) > 1:
        raise InvalidInstance("the inputs have batches of different lengths")
    return read


def _outputs(found: Any, signature: Signature, *, default: bool) -> dict[str, bool]:
    tensors = {one.name: one for one in signature.outputs}
    if found is None or found == []:
        return dict.fromkeys(tensors, default)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise InvalidInstance("outputs is no list of objects")
    wanted: dict[str, bool] = {}
    for one in found:
        name = _known(one.get("name"), tensors, "output").name
        if name in wanted:
            raise InvalidInstance(f"output {name!r} comes twice")
        parameters = _parameters(one, f"output {name!r}")
        if parameters.get("classification"):
            raise InvalidInstance(f"output {name!r}: classification is not known here", fix="use V1")
        wanted[name] = _flag(parameters, BINARY, default=default)
    return wanted


def _known(name: Any, tensors: Mapping[str, Tensor], side: str) -> Tensor:
    if not isinstance(name, str):
        raise InvalidInstance(f"an {side} has no text as its name; known: {', '.join(tensors)}")
    if name not in tensors:
        raise InvalidInstance(f"there is no {side} {name[:100]!r}; known: {', '.join(tensors)}")
    return tensors[name]


def _parameters(owner: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    found = owner.get("parameters")
    if found is not None and not isinstance(found, dict):
        raise InvalidInstance(f"the parameters of {what} are no object")
    if found and "shared_memory_region" in found:
        raise InvalidInstance(f"{what}: shared memory is not known here", fix="send and take the data itself")
    return found or {}


def _flag(parameters: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise InvalidInstance(f"{name} is neither true nor false")
    return value
