"""The dead-letters function: what nobody could take is kept in the model bucket, one object for each time
that it died.

Nothing is refused here, because a dead letter that is refused is lost: what cannot be read as an event is
kept as it came. Objects are added and never changed, so a letter that dies again after a replay keeps its
whole history.

A death that is delivered twice is one object. It is known by the replay that led to it, else by the time at
which a broker took the event in, and by the reason. Where no broker has set that time, deaths for one reason
count as one until the letter is replayed.
"""

import base64
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from knoll.errors import AlreadyExists, InvalidEvent
from knoll.events import Event, event_to_json
from knoll.events.http import event_from_http
from knoll.names import digest, join
from knoll.ports import Platform
from knoll.records.dead_letter import dead_letter_id, dead_letter_uri, death_uri

__all__ = ["REPLAY", "handle", "keep_body", "receive", "without_trace"]

# extension of an event that is replayed: which replay it is, so that its next death is told from the last
REPLAY = "knollreplay"
# so begin the extensions that brokers add: why nobody took it, when it arrived, how far it may go
_OF_THE_BROKER = "knative"
_WHERE = "knativeerrordest"
_WHEN = "knativearrivaltime"
_WHY = ("knativeerrorcode", "knativeerrordata")


def handle(event: Event, platform: Platform) -> None:
    """Keep an event, with the extensions in which the broker says why. Raises StoreUnavailable."""
    who = _trigger(event.extensions.get(_WHERE, ""))
    letter = dead_letter_id(json.dumps([who, event_to_json(without_trace(event))], sort_keys=True))
    replayed = event.extensions.get(REPLAY, "")
    _keep(letter, event.extensions, {"event": event_to_json(event), "replay": replayed}, platform)


def receive(headers: Mapping[str, str], body: bytes, platform: Platform) -> None:
    """Keep what one POST brings, be it an event or not. Raises StoreUnavailable."""
    try:
        event = event_from_http(headers, body)
    except InvalidEvent as error:
        keep_body(headers, body, str(error), platform)
    else:
        handle(event, platform)


def keep_body(
    headers: Mapping[str, str],
    body: bytes,
    reason: str,
    platform: Platform,
    *,
    meant_for: str = "",
    replayed: str = "",
) -> None:
    """Keep what cannot be read as an event, for the given reason, with the headers that tell of it. Raises
    StoreUnavailable.

    `meant_for` names the function that can be given it again, `replayed` the replay that led to this.
    """
    told = {
        name.lower(): value
        for name, value in headers.items()
        if name.lower().startswith("ce-") or name.lower() == "content-type"
    }
    own = {name: value for name, value in told.items() if not name.startswith(f"ce-{_OF_THE_BROKER}")}
    letter = dead_letter_id(
        json.dumps([_trigger(told.get(f"ce-{_WHERE}", "")), meant_for, own], sort_keys=True), body
    )
    extensions = {name.removeprefix("ce-"): value for name, value in told.items()}
    document = {
        "reason": reason,
        "headers": told,
        "body": base64.b64encode(body).decode(),
        "meantFor": meant_for,
        "replay": replayed,
    }
    _keep(letter, {**extensions, _WHY[1]: reason}, document, platform)


def without_trace(event: Event) -> Event:
    """The event as its sender published it, without what brokers and replays have added."""
    own = {
        name: value
        for name, value in event.extensions.items()
        if name != REPLAY and not name.startswith(_OF_THE_BROKER)
    }
    return replace(event, extensions=own)


def _trigger(destination: str) -> str:
    """Who did not take it, whatever UID its Trigger has: a broker names it by that, and a Trigger that was
    installed anew is the same."""
    host, slash, path = destination.partition("/triggers/")
    return host + slash + "/".join(path.split("/")[:2])


def _keep(
    letter: str, extensions: Mapping[str, str], document: Mapping[str, Any], platform: Platform
) -> None:
    root = platform.settings.model_root
    when = document["replay"] or extensions.get(_WHEN) or _replays(letter, platform)
    death = digest([json.dumps([when, *(extensions.get(name, "") for name in _WHY)])])[:20]
    content = json.dumps(
        {"at": platform.clock.now().isoformat(), **document}
    )  # indented, what is deep is a hundred times as long
    with suppress(AlreadyExists):
        platform.store.put(
            death_uri(root, letter, death), content.encode(), if_absent=True, content_type="application/json"
        )


def _replays(letter: str, platform: Platform) -> int:
    """How often the letter was replayed."""
    root = platform.settings.model_root
    return sum(1 for _ in platform.store.list(join(dead_letter_uri(root, letter), "replay-")))
