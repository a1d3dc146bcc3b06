"""CloudEvents over HTTP, in both directions, and the answers that a broker understands.

The SDK writes events. It does not read them: version 1 leaves header values percent-encoded, takes a binary
event that lacks an attribute for a structured one, and quotes bodies in its errors. Brokers retry on 404,
408, 409 and 429, and take a 2xx answer with a body that is no event for a failure. docs/events.md says what a
function answers instead.
"""

import base64
import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from cloudevents.conversion import to_structured
from cloudevents.http import CloudEvent

from knoll.errors import InvalidEvent, QuotaExceeded, Rejected, Unavailable
from knoll.events import Event, RawData, event_from_json, event_to_json, read_json
from knoll.headers import ATTRIBUTE, CONTENT_TYPE
from knoll.media_types import CLOUD_EVENT, JSON

__all__ = ["Response", "event_from_http", "event_to_http", "is_event", "is_structured", "refusal", "respond"]

_log = logging.getLogger(__name__)

_REQUIRED = {f"{ATTRIBUTE}{name}" for name in ("specversion", "id", "source", "type")}
_NO_HEADER = {
    "data",
    "data_base64",
    "datacontenttype",
}  # in binary mode these travel as the body and Content-Type
_JSON = re.compile(r"(application|text)/(.+\+)?json")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LONGEST_TEXT = 1000  # characters
_LONGEST_REFUSAL = 1024  # bytes that a broker keeps of it


@dataclass(frozen=True)
class Response:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def is_event(headers: Mapping[str, str]) -> bool:
    """Whether the headers announce a CloudEvent, even a faulty one."""
    return is_structured(headers) or bool({name.lower() for name in headers} & _REQUIRED)


def is_structured(headers: Mapping[str, str]) -> bool:
    """Whether the headers announce that the whole event is in the body."""
    return _media_type(_value(headers, CONTENT_TYPE)).startswith("application/cloudevents")


def event_from_http(headers: Mapping[str, str], body: bytes) -> Event:
    """Read an event in binary or structured mode. Raises InvalidEvent that lists every fault and quotes no
    value."""
    media_type = _media_type(_value(headers, CONTENT_TYPE))
    if media_type == CLOUD_EVENT:
        document = _from_structured(body)
    elif is_structured(headers):
        raise InvalidEvent(
            f"knoll reads no {media_type:.99}", fix=f"send one event at a time, binary or as {CLOUD_EVENT}"
        )
    else:
        document = _from_binary(headers, media_type, body)
    event = event_from_json(document)
    odd = [
        name
        for name, value in document.items()
        if name != "data" and isinstance(value, str) and _CONTROL.search(value)
    ]
    if odd:
        raise InvalidEvent("control characters in " + ", ".join(sorted(odd)))
    return event


def event_to_http(event: Event) -> tuple[dict[str, str], bytes]:
    """Headers and body of the event in structured mode, which no proxy can misread; with RawData in binary
    mode, which leaves the data as it is."""
    if isinstance(event.data, RawData):
        named = event_to_json(replace(event, data=None))
        headers = {ATTRIBUTE + name: str(value) for name, value in named.items() if value != ""}
        return {**headers, CONTENT_TYPE: event.data.content_type}, event.data.body
    attributes = {
        name: value for name, value in event_to_json(event).items() if name != "data" and value != ""
    }
    headers, body = to_structured(CloudEvent(attributes, event.data))
    return dict(headers), body


def respond(act: Callable[[], Event | None]) -> Response:
    """Do what a request asks for, and answer: 204, or 200 with the event that follows; 422 if another try
    cannot help, 503 if it may, 507 if there is no room.

    Error texts name the error; only those of Rejected and QuotaExceeded say more. They never hold headers,
    the body, a stack trace or control characters.
    """
    try:
        reply = act()
        return Response(204, {}, b"") if reply is None else Response(200, *event_to_http(reply))
    except Rejected as error:
        _log.warning("rejected: %s", _plain(error))
        return refusal(422, f"rejected: {type(error).__name__}: {_plain(error)}")
    except QuotaExceeded as error:
        _log.warning("no room: %s", _plain(error))
        return refusal(507, f"no room: {_plain(error)}; {error.fix}")
    except Unavailable as error:
        _log.warning("unavailable: %s", _plain(error))
        return refusal(503, f"unavailable: {type(error).__name__}; try again later")
    except Exception as error:
        _log.exception("the handler failed")
        return refusal(503, f"failed: {type(error).__name__}; the log of the function says why")


def refusal(status: int, text: str) -> Response:
    """{"error": text}. A long text is cut, so that a broker keeps the whole document."""
    text = text[:_LONGEST_TEXT]
    while len(body := _error(text)) > _LONGEST_REFUSAL:
        text = text[: len(text) * 9 // 10]
    return Response(status, {CONTENT_TYPE: JSON}, body)


def _error(text: str) -> bytes:
    return json.dumps({"error": text}, ensure_ascii=False).encode(errors="replace")


def _plain(error: Exception) -> str:
    """The error's text, short enough for a log, and unable to write lines of its own there."""
    return _CONTROL.sub("?", str(error)[:_LONGEST_TEXT])


def _from_structured(body: bytes) -> dict[str, Any]:
    document = read_json(body, "the body")
    if not isinstance(document, dict):
        raise InvalidEvent("a CloudEvent is a JSON object")
    if "data_base64" in document and "data" in document:
        raise InvalidEvent("data and data_base64 exclude each other")
    if "data_base64" in document:
        document["data"] = _from_base64(document.pop("data_base64"), document.get("datacontenttype"))
    return {
        name: _scalar(value) if name != "data" else value
        for name, value in document.items()
        if value is not None
    }


def _from_binary(headers: Mapping[str, str], media_type: str, body: bytes) -> dict[str, Any]:
    document: dict[str, Any] = {}
    faults = []
    for header, value in headers.items():
        name = header.lower().removeprefix(ATTRIBUTE)
        if not header.lower().startswith(ATTRIBUTE):
            continue
        if name in document or name in _NO_HEADER:
            faults.append(
                f"header {header.lower()} is given twice"
                if name in document
                else f"there is no header {header.lower()}"
            )
        try:
            document[name] = _decoded(value)
        except UnicodeDecodeError:
            faults.append(f"header {header.lower()} is not percent-encoded UTF-8")
    if faults:
        raise InvalidEvent("not a CloudEvent 1.0: " + "; ".join(faults))
    if body:
        document["data"] = _read_data(body, media_type)
    return document


def _decoded(value: str) -> str:
    """A header value as section 3.1.3.2 of the HTTP binding wants it read: quotes off, then percent-decoded
    once."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    return unquote(value, errors="strict")


def _from_base64(value: Any, content_type: Any) -> Any:
    try:
        body = base64.b64decode(value, validate=True)
    except (ValueError, TypeError) as error:
        raise InvalidEvent("data_base64 is not base64") from error
    return _read_data(body, _media_type(content_type if isinstance(content_type, str) else ""))


def _read_data(body: bytes, media_type: str) -> Any:
    if media_type and not _JSON.fullmatch(media_type):
        raise InvalidEvent("the data is not JSON", fix=f"send data with content type {JSON}")
    return read_json(body, "the data")


def _scalar(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, bool) else value  # CloudEvents writes true, Python True


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _value(headers: Mapping[str, str], wanted: str) -> str:
    return next((value for name, value in headers.items() if name.lower() == wanted), "")
