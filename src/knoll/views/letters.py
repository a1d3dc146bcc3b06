"""Dead letters: events that no function took, with every time that happened and every resend."""

import base64
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from knoll.dead_letters.handler import without_trace
from knoll.dead_letters.letters import (
    Death,
    Letter,
    list_letters,
    read_dead_letters,
    read_letter,
)
from knoll.errors import InvalidEvent, NewerSchema, NotFound
from knoll.events import event_to_json
from knoll.headers import ATTRIBUTE
from knoll.ports import Platform
from knoll.records.dead_letter import Resend, list_wishes
from knoll.views.ids import only_match
from knoll.waits import Wait, wait_document

__all__ = [
    "Happening",
    "LetterView",
    "count_wanted",
    "find_letter_ids",
    "find_letters",
    "find_readable_letters",
    "history_of",
    "letter_document",
    "letter_ids",
    "read_letters",
    "whole_document",
]

_NO_EVENT = "not-an-event"


@dataclass(frozen=True)
class LetterView:
    """A dead letter. Where it is no event, `type`, `subject`, `source` and `event_id` are what its headers
    claim."""

    letter: Letter
    type: str
    subject: str
    source: str
    event_id: str

    @property
    def id(self) -> str:
        """Id of the letter."""
        return self.letter.id

    @property
    def state(self) -> str:
        """Dead, Wanted or Replayed."""
        return self.letter.state

    @property
    def last(self) -> Death:
        """The last time that no function took it."""
        return self.letter.last

    @property
    def wait(self) -> Wait | None:
        """What the letter waits for; None if it was resent."""
        if self.letter.wanted:
            ends = "the tick publishes it, and a broker delivers it"
            return Wait("the next tick", self.letter.wanted.at, ends, 0, 1)
        if self.state == "Dead":
            ends = f"mend what refused it, then knoll dlq replay {self.id}, or knoll dlq drop {self.id}"
            return Wait("somebody who resends or drops it", self.last.at, ends)
        return None

    @property
    def asked(self) -> Sequence[Resend]:
        """Every resend that was asked for."""
        return (*self.letter.resends, self.letter.wanted) if self.letter.wanted else self.letter.resends


@dataclass(frozen=True)
class Happening:
    """One thing that happened to a letter: its death, with the reason, or a resend, with who asked for it."""

    at: str
    death: Death | None = None
    resend: Resend | None = None


def read_letters(platform: Platform, type: str = "") -> list[LetterView]:
    """The dead letters whose types begin like this; the one that died last stands first."""
    bucket = platform.bucket
    views = [_letter_view(one) for one in reversed(read_dead_letters(bucket))]
    return [one for one in views if one.type.startswith(type)]


def find_letters(platform: Platform, wanted: Iterable[str]) -> list[LetterView]:
    """The letters of these ids or beginnings of ids, each once. Raises NotFound, InvalidEvent if one cannot
    be read, and NewerSchema."""
    return [_letter_view(read_letter(id, platform.bucket)) for id in find_letter_ids(platform, wanted)]


def find_readable_letters(platform: Platform, ids: Iterable[str]) -> list[LetterView]:
    """Those of the letters that can be read."""
    found = []
    for id in ids:
        with suppress(InvalidEvent, NewerSchema, NotFound):
            found.append(_letter_view(read_letter(id, platform.bucket)))
    return found


def find_letter_ids(platform: Platform, wanted: Iterable[str]) -> list[str]:
    """The ids that these ids or beginnings of ids mean, each once, by a listing alone. Raises NotFound."""
    known = letter_ids(platform)
    fix = "knoll dlq list --all lists them"
    return list(dict.fromkeys(only_match(one, known, "dead letter", fix) for one in wanted))


def letter_ids(platform: Platform) -> list[str]:
    """The ids of all dead letters."""
    return list_letters(platform.bucket)


def count_wanted(platform: Platform, ids: set[str]) -> int:
    """How many of these letters still wait for a tick to publish them."""
    return len(ids & {wish.letter for wish in list_wishes(platform.bucket)})


def history_of(view: LetterView) -> list[Happening]:
    """Deaths and resends in the order of time."""
    happened = [Happening(one.at, death=one) for one in view.letter.deaths]
    happened += [Happening(one.at, resend=one) for one in view.asked]
    return sorted(happened, key=lambda one: (one.at, one.resend is not None))


def letter_document(view: LetterView) -> dict[str, Any]:
    """A letter in short, as `-o json` shows it."""
    return {
        "letter": view.id,
        "state": view.state,
        "type": view.type,
        "subject": view.subject,
        "source": view.source,
        "id": view.event_id,
        "destination": view.last.destination,
        "code": view.last.code,
        "reason": view.last.reason,
        "times": len(view.letter.deaths),
        "firstAt": view.letter.deaths[0].at,
        "lastAt": view.last.at,
        "wait": wait_document(view.wait),
    }


def whole_document(view: LetterView) -> dict[str, Any]:
    """A letter with its history and its content, as `-o json` shows it."""
    keys = ("at", "destination", "code", "reason")
    deaths = [
        {**{key: getattr(one, key) for key in keys}, "replay": one.resend} for one in view.letter.deaths
    ]
    resends = [
        {"number": one.number, "by": one.by, "askedAt": one.at, "publishedAt": one.published_at}
        for one in view.asked
    ]
    return {**letter_document(view), "deaths": deaths, "replays": resends, **_content(view.last)}


def _letter_view(letter: Letter) -> LetterView:
    event, headers = letter.last.event, letter.last.headers
    if event is not None:
        return LetterView(letter, event.type, event.subject, event.source, event.id)
    subject, source, id = (headers.get(f"{ATTRIBUTE}{name}", "") for name in ("subject", "source", "id"))
    return LetterView(letter, headers.get(f"{ATTRIBUTE}type", _NO_EVENT), subject, source, id)


def _content(death: Death) -> dict[str, Any]:
    """What the sender sent."""
    if death.event is not None:
        return {"event": event_to_json(without_trace(death.event))}
    return {"headers": dict(death.headers), "body": base64.b64encode(death.body).decode()}
