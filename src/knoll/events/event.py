"""A CloudEvent as a value.

Attributes are printable ASCII without spaces, because some brokers do not percent-encode headers. Keys and
names of objects travel in `data`.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from knoll.errors import InvalidEvent
from knoll.events.types import DATASET_LANDED, OBJECT_CHANGED
from knoll.names import model_of_run

__all__ = ["EVENT_LIMIT", "Event", "RawData", "new_event", "object_changed", "run_asked_for"]

EVENT_LIMIT = 2**20  # bytes of an event, and of a notification; a dead letter may have twice as many


@dataclass(frozen=True)
class RawData:
    """Data that travels as it is, of that media type."""

    body: bytes = field(repr=False)
    content_type: str


@dataclass(frozen=True)
class Event:
    """One CloudEvent 1.0 with JSON data, or with RawData if it is only sent.

    `source` and `id` together are unique. `extensions` has lower-case alphanumeric names and string values.
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
    """A new event. It takes the correlation id of its `cause`, so that one upload can be followed up to its
    rollout."""
    extensions = {}
    if cause is not None:
        extensions = {
            "correlationid": cause.extensions.get("correlationid", cause.id),
            "causationid": cause.id,
        }
    return Event(id or str(uuid.uuid4()), source, type, time.isoformat(), subject, data, extensions)


def object_changed(document: Mapping[str, Any], *, source: str, time: datetime) -> Event:
    """The event that Knative's ApiServerSource sends in its mode Resource when an object has changed. The
    object is its data."""
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


def run_asked_for(event: Event) -> str:
    """Id of the run that the event is about. Raises InvalidEvent if the event names no run, Rejected if the
    text is not a run id."""
    run = event.data.get("runId") if isinstance(event.data, dict) else None
    if not isinstance(run, str):
        raise InvalidEvent(
            f"event {event.id} of type {event.type} names no run",
            fix=f"send {DATASET_LANDED}, or data with a runId",
        )
    model_of_run(run)
    return run
