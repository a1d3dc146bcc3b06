"""The dead-letters function: what nobody could take is kept in the model bucket, one object for each dead letter.

Nothing is refused here, because a dead letter that is refused is lost: what cannot be read as an event is kept as it came. The same dead
letter twice is one object.
"""

import base64
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from knoll.errors import AlreadyExists
from knoll.events import Event, event_from_json, event_to_json
from knoll.names import dead_letter_uri, dead_letters_uri, digest
from knoll.ports import ObjectStore, Platform

__all__ = ["DeadLetter", "handle", "keep_body", "read_dead_letters"]

_DESTINATION = "knativeerrordest"  # who did not take it; Knative adds knativeerrorcode and knativeerrordata


@dataclass(frozen=True)
class DeadLetter:
    """An event that nobody took, and when it came here; without an event there are its headers and body."""

    at: str
    event: Event | None
    headers: Mapping[str, str]
    body: bytes


def handle(event: Event, platform: Platform) -> None:
    """Keep an event, with the extensions in which the broker says why. Raises StoreUnavailable."""
    uri = dead_letter_uri(platform.settings.model_root, event.source, event.id, event.extensions.get(_DESTINATION, ""))
    _keep(uri, {"event": event_to_json(event)}, platform)


def keep_body(headers: Mapping[str, str], body: bytes, reason: str, platform: Platform) -> None:
    """Keep what cannot be read as an event, for the given reason, with the headers that tell of it. Raises StoreUnavailable."""
    told = {name.lower(): value for name, value in headers.items() if name.lower().startswith("ce-") or name.lower() == "content-type"}
    identity = [told.get("ce-source", ""), told.get("ce-id", ""), told.get(f"ce-{_DESTINATION}", ""), digest([body])]
    document = {"reason": reason, "headers": told, "body": base64.b64encode(body).decode()}
    _keep(dead_letter_uri(platform.settings.model_root, *identity), document, platform)


def read_dead_letters(store: ObjectStore, root: str) -> list[DeadLetter]:
    """All dead letters of the model bucket, oldest first."""
    letters = [_read(json.loads(store.get(one.uri))) for one in store.list(dead_letters_uri(root))]
    return sorted(letters, key=lambda letter: letter.at)


def _keep(uri: str, document: Mapping[str, Any], platform: Platform) -> None:
    content = json.dumps({"at": platform.clock.now().isoformat(), **document}, indent=1)
    with suppress(AlreadyExists):
        platform.store.put(uri, content.encode(), if_absent=True, content_type="application/json")


def _read(document: Mapping[str, Any]) -> DeadLetter:
    event = event_from_json(document["event"]) if "event" in document else None
    return DeadLetter(document["at"], event, document.get("headers", {}), base64.b64decode(document.get("body", "")))
