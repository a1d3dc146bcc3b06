"""Dead letters as people see them: each with every death and every resend, oldest first.

Names, not clocks, say whether a letter is dead: a resend names the deaths that it is meant to cure, and a
letter with any other death is dead.
"""

import base64
import json
import logging
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from knoll.errors import InvalidEvent, KnollError, NewerSchema, NotFound
from knoll.events import Event, event_from_json
from knoll.headers import ATTRIBUTE, ERROR_CODE, ERROR_DATA, ERROR_DESTINATION
from knoll.ports import Bucket
from knoll.records.dead_letter import (
    DeathRecord,
    LetterObject,
    Resend,
    find_letter_object,
    list_letter_objects,
)

__all__ = ["Death", "Letter", "list_letters", "read_dead_letters", "read_letter"]

State = Literal["Dead", "Wanted", "Replayed"]

_ADDRESS = re.compile(r"https?://(?P<hostname>[^./:]+)[^/]*(/triggers/[^/]+/(?P<trigger>[^/]+))?")
_THREADS = 16
_LOG = logging.getLogger(__name__)
_LetterRecord = DeathRecord | Resend | KnollError | None


@dataclass(frozen=True)
class Death:
    """One time that a letter died: when it came here, what came, who refused it with which code, and why.

    What is no event has its headers and body, and `meant_for` if a function can get it again. `resend` is the
    one that led to this death, as LETTER.NUMBER.
    """

    name: str
    at: str
    event: Event | None
    headers: Mapping[str, str]
    body: bytes
    reason: str
    code: str
    destination: str
    meant_for: str
    resend: str

    @property
    def can_be_resent(self) -> bool:
        """Whether it is an event, or names the function that should get it."""
        return self.event is not None or bool(self.meant_for)


@dataclass(frozen=True)
class Letter:
    """A dead letter: its deaths, at least one, and its resends, oldest first, and the resend that is
    wanted."""

    id: str
    deaths: tuple[Death, ...]
    resends: tuple[Resend, ...] = ()
    wanted: Resend | None = None

    @property
    def last(self) -> Death:
        """Its newest death."""
        return self.deaths[-1]

    @property
    def state(self) -> State:
        """Wanted: the next tick resends it. Replayed: it has not died since. Dead: all others."""
        if self.wanted:
            return "Wanted"
        cured = {name for one in self.resends for name in one.cures}
        return "Replayed" if cured.issuperset(one.name for one in self.deaths) else "Dead"


def read_dead_letters(bucket: Bucket) -> list[Letter]:
    """All dead letters of the model bucket, the one that died last at the end.

    The log names those that cannot be read.
    """
    objects = list(list_letter_objects(bucket))
    with ThreadPoolExecutor(_THREADS) as pool:
        found = _by_letter(objects, pool.map(lambda one: _read(one, bucket), objects))
    letters = []
    for id, records in found.items():
        try:
            letters.append(_letter(id, records))
        except (InvalidEvent, NewerSchema) as error:
            _LOG.warning("dead letter %s is left out: %s; knoll dlq drop %s removes it", id, error, id)
    return sorted(letters, key=lambda letter: letter.last.at)


def read_letter(id: str, bucket: Bucket) -> Letter:
    """One dead letter. Raises NotFound, InvalidEvent if it cannot be read, and NewerSchema."""
    objects = list(list_letter_objects(bucket, id))
    found = _by_letter(objects, (_read(one, bucket) for one in objects))
    if id not in found:
        raise NotFound(f"there is no dead letter {id}", fix="knoll dlq list --all shows all")
    return _letter(id, found[id])


def list_letters(bucket: Bucket) -> list[str]:
    """The ids of all dead letters, by a listing alone, so also of those that cannot be read."""
    return sorted({one.letter for one in list_letter_objects(bucket) if not one.is_wish})


def _read(one: LetterObject, bucket: Bucket) -> _LetterRecord:
    """The record, or why it cannot be read: one letter must not hide the others."""
    try:
        return find_letter_object(one, bucket)
    except (InvalidEvent, NewerSchema) as error:
        return error


def _by_letter(
    objects: Iterable[LetterObject], read: Iterable[_LetterRecord]
) -> Mapping[str, Mapping[str, DeathRecord | Resend | KnollError]]:
    """The records of each letter by their names. A folder without a death is no letter. Records that are gone
    are left out."""
    found: dict[str, dict[str, DeathRecord | Resend | KnollError]] = {}
    for one, record in zip(objects, read, strict=True):
        if record is not None:
            found.setdefault(one.letter, {})[one.name] = record
    return {
        id: records for id, records in found.items() if any(name.startswith("death-") for name in records)
    }


def _letter(id: str, records: Mapping[str, DeathRecord | Resend | KnollError]) -> Letter:
    deaths, resends = [], []
    for name, record in records.items():
        if isinstance(record, NewerSchema):
            raise record
        if isinstance(record, KnollError):
            raise InvalidEvent(f"dead letter {id} cannot be read: {name}: {record}") from record
        if isinstance(record, DeathRecord):
            deaths.append(_death(name, record))
        elif name != "wanted":
            resends.append(record)
    wanted = records.get("wanted")
    return Letter(
        id,
        deaths=tuple(sorted(deaths, key=lambda one: (one.at, one.name))),
        resends=tuple(sorted(resends, key=lambda one: one.number)),
        wanted=wanted
        if isinstance(wanted, Resend) and wanted.number not in {one.number for one in resends}
        else None,
    )


def _death(name: str, record: DeathRecord) -> Death:
    event, body = _event(record)
    told = (
        event.extensions
        if event
        else {name.removeprefix(ATTRIBUTE): value for name, value in record.headers.items()}
    )
    return Death(
        name=name,
        at=record.at,
        event=event,
        headers=record.headers,
        body=body,
        reason=record.reason or _plain(told.get(ERROR_DATA, "")),
        code=told.get(ERROR_CODE, ""),
        destination=_who(told.get(ERROR_DESTINATION, "")) or record.meantFor,
        meant_for=record.meantFor,
        resend=record.resend,
    )


def _event(record: DeathRecord) -> tuple[Event | None, bytes]:
    """The event, or what came in its place. If the form of the event is wrong, it is shown as it is."""
    if record.event is None:
        return None, record.content()
    try:
        return event_from_json(record.event), b""
    except InvalidEvent:
        return None, record.content()


def _who(destination: str) -> str:
    """The function or Trigger that a broker names by its URL, or as it is."""
    match = _ADDRESS.match(destination)
    return (match["trigger"] or match["hostname"]) if match else destination


def _plain(text: str) -> str:
    """What a function answered. Knative's brokers put it in base64, that of the laptop does not."""
    try:
        said = _error(base64.b64decode(text, validate=True).decode())
    except ValueError:
        return text
    return said if said.replace("\n", " ").isprintable() else text


def _error(body: str) -> str:
    """The text of {"error": text}, or the body, if it is no such document."""
    try:
        document = json.loads(body)
    except ValueError:
        return body
    error = document.get("error") if isinstance(document, dict) else None
    return error if isinstance(error, str) else body
