"""The dead-letters function: what no function took is kept in the model bucket, one object for each time that
it died.

Only what exceeds the limits of `quota` is refused, because a refused dead letter is lost. A body that is no
event is kept as it came.

A death that is delivered twice is one object. Its id is made of the reason, and of the resend that led to it,
or else of the time at which a broker took the event. If no broker set that time, deaths for one reason count
as one until the letter is resent.
"""

from collections.abc import Mapping
from dataclasses import replace

from knoll.dead_letters.quota import take_room
from knoll.errors import InvalidEvent
from knoll.events import Event, event_to_json
from knoll.events.http import event_from_http
from knoll.events.types import OF_USERS
from knoll.headers import (
    ARRIVAL,
    ATTRIBUTE,
    CONTENT_TYPE,
    ERROR_CODE,
    ERROR_DATA,
    ERROR_DESTINATION,
    OF_THE_BROKER,
)
from knoll.ports import Platform
from knoll.records.dead_letter import (
    DeathRecord,
    body_to_text,
    count_resends,
    death_of,
    letter_of_body,
    letter_of_event,
    write_death,
)
from knoll.records.letter_room import sign_source

__all__ = ["RESEND", "handle", "keep_body", "receive", "without_trace"]

# extension of a resent event: the id of the resend, which tells its next death from the last one
RESEND = "knollreplay"
_WHY = (ERROR_CODE, ERROR_DATA)
_NO_SOURCE = "(none)"  # of a body that is no event and names no source


def handle(event: Event, platform: Platform) -> None:
    """Keep an event, with the extensions in which the broker says why. Raises StoreUnavailable.

    What users have asked is not kept: a letter would outlast the records of it.
    """
    if event.type in OF_USERS:
        return
    who = _trigger(event.extensions.get(ERROR_DESTINATION, ""))
    letter = letter_of_event(who, without_trace(event))
    resend = event.extensions.get(RESEND, "")
    record = DeathRecord(platform.clock.now().isoformat(), event_to_json(event), resend=resend)
    _keep(letter, event.source, event.extensions, record, platform)


def receive(headers: Mapping[str, str], body: bytes, platform: Platform) -> None:
    """Keep what one POST brings, an event or any other body. Raises StoreUnavailable."""
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
    resend: str = "",
) -> None:
    """Keep what cannot be read as an event, with the reason and the headers that describe it. Raises
    StoreUnavailable.

    `meant_for` names the function that can get it again, `resend` the resend that led to this death.
    """
    told = {
        name.lower(): value
        for name, value in headers.items()
        if name.lower().startswith(ATTRIBUTE) or name.lower() == CONTENT_TYPE
    }
    if told.get(f"{ATTRIBUTE}type") in OF_USERS:
        return
    own = {name: value for name, value in told.items() if not name.startswith(f"{ATTRIBUTE}{OF_THE_BROKER}")}
    who = _trigger(told.get(f"{ATTRIBUTE}{ERROR_DESTINATION}", ""))
    letter = letter_of_body(who, meant_for, own, body)
    extensions = {name.removeprefix(ATTRIBUTE): value for name, value in told.items()}
    record = DeathRecord(
        at=platform.clock.now().isoformat(),
        reason=reason,
        headers=told,
        body=body_to_text(body),
        meantFor=meant_for,
        resend=resend,
    )
    source = extensions.get("source", "") or _NO_SOURCE
    _keep(letter, source, {**extensions, _WHY[1]: reason}, record, platform)


def without_trace(event: Event) -> Event:
    """The event as its sender published it, without what brokers and resends added."""
    own = {
        name: value
        for name, value in event.extensions.items()
        if name != RESEND and not name.startswith(OF_THE_BROKER)
    }
    return replace(event, extensions=own)


def _trigger(destination: str) -> str:
    """Who did not take it, without the UID of the Trigger: a Trigger that was installed anew is the same."""
    host, slash, path = destination.partition("/triggers/")
    return host + slash + "/".join(path.split("/")[:2])


def _keep(
    letter: str, source: str, extensions: Mapping[str, str], record: DeathRecord, platform: Platform
) -> None:
    when = record.resend or extensions.get(ARRIVAL) or count_resends(letter, platform.bucket)
    death = death_of(when, (extensions.get(name, "") for name in _WHY))
    take_room(source, len(record.encode()), platform)
    write_death(letter, death, record, platform.bucket)
    sign_source(letter, source, platform.bucket)
