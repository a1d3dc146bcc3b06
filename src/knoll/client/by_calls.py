"""What is said to a model by gRPC, and how its answers are read. It is imported by who asks so."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from knoll.client.given import bounded
from knoll.client.metadata import TensorInfo
from knoll.client.steps import Call, Heard
from knoll.client.tensors import Batches, Meanings, dtype_of, no_answer_of_v2
from knoll.errors import InvalidInstance
from knoll.headers import CONTENT_TYPE
from knoll.media_types import GRPC
from knoll.rpc.fields import NUMBERS
from knoll.rpc.messages import INFERENCE, MESSAGES, SERVICES
from knoll.rpc.reading import Packed, decode, numbers
from knoll.rpc.writing import encode
from knoll.v2_parameters import DESCRIBE_OUTPUTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ByCalls"]

_METHODS = SERVICES[INFERENCE]
_KINDS = {one.name: one.kind for one in MESSAGES["inference.InferTensorContents"]}


class ByCalls:
    """The `TensorForm` of gRPC: ModelInfer with raw tensors. An answer may have typed ones."""

    def ready(self, model: str) -> Call:
        """See `TensorForm`."""
        return _call("ModelReady", {"name": model})

    def is_ready(self, heard: Heard) -> bool:
        """See `TensorForm`."""
        return heard.status == 200 and bool(_read("ModelReady", heard).get("ready"))

    def metadata(self, model: str) -> Call:
        """See `TensorForm`."""
        return _call("ModelMetadata", {"name": model})

    def metadata_in(self, heard: Heard) -> Mapping[str, Any]:
        """See `TensorForm`."""
        found = _read("ModelMetadata", heard)
        sides = ("inputs", "outputs")
        shaped = {side: [{**one, "shape": _shape(one)} for one in found.get(side, ())] for side in sides}
        return {"name": "", **found, **shaped}

    def infer(self, model: str, tensors: Batches, inputs: Sequence[TensorInfo]) -> Call:
        """See `TensorForm`."""
        datatypes = {one.name: one.datatype for one in inputs}
        described = [
            {"name": name, "datatype": datatypes[name], "shape": [*batch.shape]}
            for name, batch in tensors.items()
        ]
        asked = {
            "model_name": model,
            "parameters": {DESCRIBE_OUTPUTS: {"bool_param": True}},
            "inputs": described,
            "raw_input_contents": [batch.tobytes() for batch in tensors.values()],
        }
        return _call("ModelInfer", asked)

    def outputs_in(self, heard: Heard) -> tuple[Batches, Meanings]:
        """See `TensorForm`."""
        import numpy as np

        found, arrays, meanings = _read("ModelInfer", heard), {}, {}
        raw = iter(found.get("raw_output_contents", ()))
        try:
            for one in found["outputs"]:
                dtype, part = dtype_of(one["datatype"]), next(raw, None)
                flat = _typed(one["contents"]) if part is None else np.frombuffer(part, dtype)
                arrays[one["name"]] = flat.astype(dtype, copy=False).reshape(_shape(one))
                told = one.get("parameters", {}).items()
                meanings[one["name"]] = {name: _value(*choice.values()) for name, choice in told}
        except (KeyError, TypeError, ValueError, InvalidInstance) as error:
            raise no_answer_of_v2() from error
        return arrays, meanings


def _call(method: str, asked: Mapping[str, Any]) -> Call:
    body = bounded(encode(asked, _METHODS[method].takes, MESSAGES))
    return Call("POST", f"/{INFERENCE}/{method}", body, {CONTENT_TYPE: GRPC})


def _read(method: str, heard: Heard) -> dict[str, Any]:
    try:
        return decode(memoryview(heard.body), _METHODS[method].answers, MESSAGES)
    except InvalidInstance as error:
        raise no_answer_of_v2() from error


def _typed(contents: Mapping[str, Packed]) -> "NDArray[Any]":
    """The numbers of a tensor that is not raw."""
    ((name, parts),) = contents.items()
    if _KINDS[name] not in NUMBERS:
        raise KeyError(name)
    found: NDArray[Any] = numbers(parts, _KINDS[name])
    return found


def _shape(tensor: Mapping[str, Any]) -> list[int]:
    found: list[int] = numbers(tensor.get("shape", Packed()), "int64").tolist()
    return found


def _value(told: Any = "") -> Any:
    """What is no text comes as JSON."""
    try:
        return json.loads(told) if isinstance(told, str) else told
    except ValueError:
        return told
