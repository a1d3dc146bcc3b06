"""The structured JSON form of CloudEvents 1.0, written and read.

The HTTP form is in `knoll.events.http`.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from knoll.errors import InvalidEvent
from knoll.events.event import Event
from knoll.media_types import JSON

__all__ = ["event_from_json", "event_to_json", "is_timestamp"]

_CORE = {
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "datacontenttype",
    "dataschema",
    "data",
    "data_base64",
}
_EXTENSION = re.compile(r"[a-z0-9]{1,20}")
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})", re.ASCII)


def event_to_json(event: Event) -> dict[str, Any]:
    """The structured JSON form of CloudEvents 1.0."""
    document: dict[str, Any] = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "time": event.time,
    }
    if event.subject:
        document["subject"] = event.subject
    if event.data is not None:
        document |= {"datacontenttype": JSON, "data": event.data}
    return {**event.extensions, **document}


def event_from_json(document: Any) -> Event:
    """Read the structured JSON form. Raises InvalidEvent that lists every fault."""
    if not isinstance(document, dict):
        raise InvalidEvent("a CloudEvent is a JSON object")
    extensions = {name: value for name, value in document.items() if name not in _CORE}
    faults = [*_faults_of_attributes(document), *_faults_of_extensions(extensions)]
    if faults:
        raise InvalidEvent("not a CloudEvent 1.0: " + "; ".join(faults))
    return Event(
        id=document["id"],
        source=document["source"],
        type=document["type"],
        time=document.get("time", ""),
        subject=document.get("subject", ""),
        data=document.get("data"),
        extensions={name: str(value) for name, value in extensions.items()},
    )


def _faults_of_attributes(document: Mapping[str, Any]) -> Iterator[str]:
    for name in ("id", "source", "type"):
        if not _is_text(document.get(name)):
            yield f"{name} must be a non-empty string"
        elif not _VISIBLE.fullmatch(document[name]):
            yield f"{name} must be printable ASCII without spaces"
    if document.get("specversion") != "1.0":
        yield 'specversion must be "1.0"'
    for name in ("subject", "time"):
        if not isinstance(document.get(name, ""), str):
            yield f"{name} must be a string"
    if _is_text(document.get("time")) and not is_timestamp(document["time"]):
        yield "time must be a timestamp of RFC 3339"


def _faults_of_extensions(extensions: Mapping[str, Any]) -> Iterator[str]:
    for name, value in extensions.items():
        if not _EXTENSION.fullmatch(name):
            yield f"extension name {name!a:.99} is not lower-case alphanumeric"
        if isinstance(value, dict | list | None):
            yield f"extension {name!a:.99} is not a scalar"


def is_timestamp(text: str) -> bool:
    """Whether the text is a time as RFC 3339 writes it. Some brokers refuse other texts for ever."""
    if not _TIMESTAMP.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)
