"""CloudEvents as values, and the vocabulary that the stages speak.

The wire format lives in `knoll.adapters.http_binding`; here is only what an event is. Attributes are
printable ASCII without spaces, because not every broker percent-encodes headers; keys and names travel in
`data`.
"""

import json
import math
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from knoll.errors import InvalidEvent
from knoll.names import model_of_run

__all__ = [
    "DATASET_LANDED",
    "OBJECT_CHANGED",
    "OBJECT_CREATED",
    "PREDICTOR_OBSERVED",
    "ROLLOUT_HELD",
    "ROLLOUT_PROMOTED",
    "ROLLOUT_ROLLEDBACK",
    "ROLLOUT_SHIFTED",
    "ROLLOUT_STARTED",
    "TICK",
    "TRAINING_FAILED",
    "TRAINING_PROGRESSED",
    "TRAINING_STARTED",
    "TRAINING_SUCCEEDED",
    "Event",
    "event_from_json",
    "event_to_json",
    "is_timestamp",
    "new_event",
    "object_changed",
    "read_json",
    "reading",
    "run_asked_for",
]

OBJECT_CREATED = "com.amazonaws.s3.ObjectCreated:"  # a prefix: Put, Post, Copy, CompleteMultipartUpload
OBJECT_CHANGED = "dev.knative.apiserver.resource.update"
DATASET_LANDED = "dev.knoll.dataset.landed"
TRAINING_STARTED = "dev.knoll.training.started"
TRAINING_PROGRESSED = "dev.knoll.training.progressed"
TRAINING_SUCCEEDED = "dev.knoll.training.succeeded"
TRAINING_FAILED = "dev.knoll.training.failed"
PREDICTOR_OBSERVED = "dev.knoll.predictor.observed"
ROLLOUT_STARTED = "dev.knoll.rollout.started"
ROLLOUT_SHIFTED = "dev.knoll.rollout.shifted"
ROLLOUT_HELD = "dev.knoll.rollout.held"
ROLLOUT_PROMOTED = "dev.knoll.rollout.promoted"
ROLLOUT_ROLLEDBACK = "dev.knoll.rollout.rolledback"
TICK = "dev.knoll.tick"

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
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_MOST_DIGITS = 20  # of an integer: the largest of 64 bits has as many


@dataclass(frozen=True)
class Event:
    """One CloudEvent 1.0 with JSON data.

    `id` with `source` is unique for one happening; `extensions` has lower-case alphanumeric names and string
    values.
    """

    id: str
    source: str
    type: str
    time: str
    subject: str = ""
    data: Any = None
    extensions: Mapping[str, str] = field(default_factory=dict)


def new_event(
    type: str,
    *,
    source: str,
    time: datetime,
    subject: str = "",
    data: Any = None,
    cause: Event | None = None,
    id: str = "",
) -> Event:
    """A new event; `cause` hands on its correlation id, so that one upload can be followed up to its
    rollout."""
    extensions = {}
    if cause is not None:
        extensions = {
            "correlationid": cause.extensions.get("correlationid", cause.id),
            "causationid": cause.id,
        }
    return Event(id or str(uuid.uuid4()), source, type, time.isoformat(), subject, data, extensions)


def object_changed(document: Mapping[str, Any], *, source: str, time: datetime) -> Event:
    """A Kubernetes object has changed: the event that Knative's ApiServerSource sends in its mode Resource,
    with the object as data."""
    metadata = document["metadata"]
    group, kind, namespace = document["apiVersion"], document["kind"], metadata.get("namespace", "default")
    return Event(
        id=str(uuid.uuid4()),
        source=source,
        type=OBJECT_CHANGED,
        time=time.isoformat(),
        subject=f"/apis/{group}/namespaces/{namespace}/{kind.lower()}s/{metadata['name']}",
        data=dict(document),
        extensions={"apiversion": group, "kind": kind, "name": metadata["name"], "namespace": namespace},
    )


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
        document |= {"datacontenttype": "application/json", "data": event.data}
    return {**event.extensions, **document}


def event_from_json(document: Any) -> Event:
    """Read the structured JSON form. Raises InvalidEvent that lists every fault."""
    if not isinstance(document, dict):
        raise InvalidEvent("a CloudEvent is a JSON object")
    faults = [
        f"{name} must be a non-empty string"
        for name in ("id", "source", "type")
        if not _is_text(document.get(name))
    ]
    if document.get("specversion") != "1.0":
        faults.append('specversion must be "1.0"')
    faults += [
        f"{name} must be a string"
        for name in ("subject", "time")
        if not isinstance(document.get(name, ""), str)
    ]
    if isinstance(document.get("time"), str) and document["time"] and not is_timestamp(document["time"]):
        faults.append("time must be a timestamp of RFC 3339")
    extensions = {name: value for name, value in document.items() if name not in _CORE}
    faults += [
        f"extension name {name!a:.99} is not lower-case alphanumeric"
        for name in extensions
        if not _EXTENSION.fullmatch(name)
    ]
    faults += [
        f"extension {name!a:.99} is not a scalar"
        for name, value in extensions.items()
        if isinstance(value, dict | list | None)
    ]
    for name in ("id", "source", "type"):
        if _is_text(document.get(name)) and not _VISIBLE.fullmatch(document[name]):
            faults.append(f"{name} must be printable ASCII without spaces")
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


def read_json(text: bytes | str, what: str) -> Any:
    """JSON that every reader understands in the same way, as RFC 7493 asks for. Raises InvalidEvent, which
    names `what` was read.

    UTF-8, no name twice, no half of a surrogate pair, no NaN, no number that a float or 64 bits cannot hold.
    """
    try:
        text = text if isinstance(text, str) else text.decode()
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_no_number,
            parse_float=_finite,
            parse_int=_bounded,
        )
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise InvalidEvent(f"{what} is not valid JSON in UTF-8") from error
    return value


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Read fields of foreign JSON: whatever is not where or what it should be raises InvalidEvent, which
    names `what` was read."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError, IndexError, RecursionError) as error:
        raise InvalidEvent(f"{what} lacks or misplaces a field: {type(error).__name__} {error}") from error


def run_asked_for(event: Event) -> str:
    """Id of the run that is to be trained. Raises InvalidEvent when the event names none, Rejected when it is
    no run id."""
    run = event.data.get("runId") if isinstance(event.data, dict) else None
    if not isinstance(run, str):
        raise InvalidEvent(
            f"event {event.id} of type {event.type} names no run",
            fix=f"send {DATASET_LANDED}, or data with a runId",
        )
    model_of_run(run)
    return run


def is_timestamp(text: str) -> bool:
    """Whether the text is a time as RFC 3339 writes it; what is none, some brokers refuse for ever."""
    if not _TIMESTAMP.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) < len(pairs):
        raise ValueError("a name is given twice")
    return unique


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("a number is out of range")
    return number


def _bounded(digits: str) -> int:
    if len(digits.lstrip("-")) > _MOST_DIGITS:
        raise ValueError("a number is out of range")
    return int(digits)
