"""Requests and answers of V1, V2 and gRPC as a `kserve.Model` takes and gives them.

What is read is bounded before kserve or Google's library makes objects of it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from kserve import InferRequest, InferResponse
from kserve.protocol.grpc.grpc_predict_v2_pb2 import ModelInferRequest, ModelInferResponse
from kserve.protocol.rest.v2_datamodels import InferenceRequest

from knoll.errors import InvalidInstance
from knoll.headers import CONTENT_TYPE, LENGTH_OF_JSON, REQUEST_ID
from knoll.media_types import ANY_BYTES, CLOUD_EVENT, FORM, GRPC, JSON, TEXT
from knoll.predict.answer import Answer
from knoll.predict.cloud_events import unwrap
from knoll.predict.json_body import read_json
from knoll.predict.v2 import split_v2
from knoll.predict.v2_call import checked_call, memory_of_typed
from knoll.rpc.framing import frame, unframed

__all__ = ["answer_call", "answer_rest", "read_call", "read_v1", "read_v2"]

_Keep = Callable[[int], None]
_JSON_KINDS = ("", JSON, CLOUD_EVENT, "application/ld+json", ANY_BYTES, FORM)  # kserve's, and what curl says
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
_RIGHT = "send JSON, or another content-type for bytes"
_FAULTS = (AttributeError, IndexError, KeyError, TypeError, ValueError)


def read_v1(body: bytes, headers: Mapping[str, str], keep: _Keep) -> Any:
    """The JSON, also of a CloudEvent; the bytes if they are of another kind. Raises InvalidInstance."""
    kind = headers.get(CONTENT_TYPE, "").partition(";")[0].strip().lower()
    return unwrap(read_json(body, _RIGHT, keep), headers) if kind in _JSON_KINDS else body


def read_v2(body: bytes, headers: Mapping[str, str], keep: _Keep, model: str) -> Any:
    """An InferRequest. Raises InvalidInstance."""
    head, _ = split_v2(body, headers.get(LENGTH_OF_JSON))
    value = read_json(head, "send a V2 request as JSON", keep)
    try:
        if LENGTH_OF_JSON in headers:
            request = InferRequest.from_bytes(body, len(head), model)
        else:
            request = InferRequest.from_inference_request(InferenceRequest.model_validate(value), model)
    except _FAULTS as error:
        raise InvalidInstance(f"this is no V2 request: {_words(error)}") from error
    request.id = request.id or headers.get(REQUEST_ID)
    return request


def read_call(body: bytes, headers: Mapping[str, str], keep: _Keep, about: Mapping[str, str]) -> Any:
    """An InferRequest. Raises InvalidInstance, NotFound."""
    message = unframed(body)
    call = checked_call(message, about)
    keep(memory_of_typed(call))
    try:
        request = InferRequest.from_grpc(ModelInferRequest.FromString(bytes(message)))
    except _FAULTS as error:
        raise InvalidInstance(f"this is no ModelInfer: {_words(error)}") from error
    request.id = request.id or headers.get(REQUEST_ID, "")
    return request


def answer_rest(response: Any, told: Mapping[str, str], version: str) -> Answer:
    """What the model answers by V1 or V2, with the headers that it told. Raises TypeError if nothing that can
    be sent, and what kserve raises."""
    length = None
    if isinstance(response, InferResponse):
        response.model_version = response.model_version or version
        response, length = response.to_rest()
    kind = JSON
    if isinstance(response, str | bytes):
        kind = TEXT if isinstance(response, str) else ANY_BYTES
        body = response.encode() if isinstance(response, str) else response
    elif hasattr(response, "__aiter__"):
        raise TypeError("a stream of answers is not served here")
    else:
        body = orjson.dumps(response, option=_OPTIONS)
    headers = {CONTENT_TYPE: kind, **told}
    return Answer(200, body, {**headers, LENGTH_OF_JSON: str(length)} if length is not None else headers)


def answer_call(response: Any, told: Mapping[str, str], version: str) -> Answer:
    """The same by gRPC."""
    if isinstance(response, InferResponse):
        response.id, response.model_version = response.id or "", response.model_version or version
        response = response.to_grpc()
    if not isinstance(response, ModelInferResponse):
        raise TypeError(f"by gRPC the answer is an InferResponse, not a {type(response).__name__}")
    return Answer(200, frame(response.SerializeToString()), {**told, CONTENT_TYPE: GRPC})


def _words(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
