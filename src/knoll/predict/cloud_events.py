"""V1 requests that are CloudEvents: who sends an event gets one back, as from KServe's own server."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from knoll.errors import InvalidInstance
from knoll.headers import ATTRIBUTE, CONTENT_TYPE
from knoll.media_types import CLOUD_EVENT, JSON
from knoll.predict.answer import Answer

__all__ = ["unwrap", "wrap"]

_NEEDED = ("specversion", "id", "source", "type")
_VERSIONS = ("1.0", "0.3")


def unwrap(payload: Any, headers: Mapping[str, str]) -> Any:
    """The request in a structured event; any other payload as it is. Raises InvalidInstance."""
    if _is_binary(headers):
        _check_version(headers[ATTRIBUTE + "specversion"])
        return payload
    if isinstance(payload, dict) and "instances" not in payload and all(one in payload for one in _NEEDED):
        _check_version(payload["specversion"])
        if "data_base64" in payload:
            raise InvalidInstance("the event has its data in data_base64", fix="send it in data, as JSON")
        if "data" not in payload:
            raise InvalidInstance("the event has no data", fix='its data is {"instances": [...]}')
        return payload["data"]
    return payload


def wrap(answer: Answer, model: str, headers: Mapping[str, str]) -> Answer:
    """The answer as an event, if the request was one; an error and a picture stay as they are."""
    is_binary = _is_binary(headers)
    is_event = is_binary or headers.get(CONTENT_TYPE, "").partition(";")[0].strip().lower() == CLOUD_EVENT
    if not is_event or answer.headers.get(CONTENT_TYPE) != JSON:
        return answer
    event = {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": f"io.kserve.inference.{model}",
        "type": "io.kserve.inference.response",
        "time": datetime.now(UTC).isoformat(),
    }
    if is_binary:
        attributes = {ATTRIBUTE + name: value for name, value in event.items()}
        return Answer(answer.status, answer.body, {**answer.headers, **attributes})
    body = orjson.dumps({**event, "data": orjson.Fragment(answer.body)})
    return Answer(answer.status, body, {**answer.headers, CONTENT_TYPE: CLOUD_EVENT})


def _is_binary(headers: Mapping[str, str]) -> bool:
    return all(ATTRIBUTE + name in headers for name in _NEEDED)


def _check_version(version: Any) -> None:
    if version not in _VERSIONS:
        raise InvalidInstance(f"the event has an unknown specversion; known: {', '.join(_VERSIONS)}")
