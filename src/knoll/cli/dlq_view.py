"""What a dead letter looks like: a line of a table, a document, and all that is known of it."""

import base64
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from knoll.cli.tables import plain_table
from knoll.cli.units import age
from knoll.dead_letters.handler import without_trace
from knoll.dead_letters.letters import Death, Letter, Replay, list_letters, read_letter
from knoll.errors import NotFound
from knoll.events import event_to_json
from knoll.ports import Platform

__all__ = [
    "HEADINGS",
    "find_letters",
    "letter_document",
    "letter_picture",
    "letter_row",
    "type_of",
    "whole_document",
]

HEADINGS = ("ID", "TYPE", "SUBJECT", "STATE", "TIMES", "LAST", "REASON")
_NO_EVENT = "not-an-event"
_LONGEST = 200  # characters of a reason in a table


def find_letters(platform: Platform, wanted: Iterable[str]) -> list[Letter]:
    """The letters of these ids or beginnings of ids, each once. Raises NotFound."""
    known = list_letters(platform.store, platform.settings.model_root)
    ids = dict.fromkeys(_find(one, known) for one in wanted)
    return [read_letter(platform.store, platform.settings.model_root, id) for id in ids]


def type_of(letter: Letter) -> str:
    """The event's type; of what is no event, that which its headers claim."""
    return letter.last.event.type if letter.last.event else letter.last.headers.get("ce-type", _NO_EVENT)


def letter_row(letter: Letter, now: datetime) -> tuple[str, ...]:
    """The cells under HEADINGS."""
    subject = letter.last.event.subject if letter.last.event else ""
    return (
        letter.id,
        type_of(letter),
        subject,
        letter.state,
        str(len(letter.deaths)),
        age(letter.last.at, now),
        _words(letter.last),
    )


def letter_document(letter: Letter) -> dict[str, Any]:
    """A letter in short."""
    event, headers = letter.last.event, letter.last.headers
    return {
        "letter": letter.id,
        "state": letter.state,
        "type": type_of(letter),
        "subject": event.subject if event else headers.get("ce-subject", ""),
        "source": event.source if event else headers.get("ce-source", ""),
        "id": event.id if event else headers.get("ce-id", ""),
        "destination": letter.last.destination,
        "code": letter.last.code,
        "reason": letter.last.reason,
        "times": len(letter.deaths),
        "firstAt": letter.deaths[0].at,
        "lastAt": letter.last.at,
    }


def whole_document(letter: Letter) -> dict[str, Any]:
    """A letter with its history and what it holds."""
    deaths = [
        {
            "at": one.at,
            "destination": one.destination,
            "code": one.code,
            "reason": one.reason,
            "replay": one.replay,
        }
        for one in letter.deaths
    ]
    replays = [
        {"number": one.number, "by": one.by, "askedAt": one.at, "publishedAt": one.published_at}
        for one in _asked(letter)
    ]
    return {**letter_document(letter), "deaths": deaths, "replays": replays, **_content(letter.last)}


def letter_picture(letter: Letter, now: datetime) -> RenderableType:
    """All of it, for people."""
    told = letter_document(letter)
    facts = Table(box=None, pad_edge=False, show_header=False, padding=(0, 3, 0, 0))
    for name in ("letter", "state", "type", "subject", "source", "id"):
        if told[name]:
            facts.add_row(Text(f"{name.capitalize()}:"), Text(told[name]))
    return Group(facts, "", _history(letter, now), "", Text(_body(letter.last)))


def _find(wanted: str, known: Sequence[str]) -> str:
    matches = [wanted] if wanted in known else [id for id in known if id.startswith(wanted)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise NotFound(
            f"dead letter {wanted!r}: {len(matches)} begin so: {', '.join(matches[:5])}",
            fix="give more letters",
        )
    raise NotFound(f"dead letter {wanted!r}: there is none of that id", fix="knoll dlq list --all lists them")


def _words(death: Death) -> str:
    said = " ".join(one for one in (death.destination, death.code) if one)
    reason = _visible(" ".join(death.reason.split()))
    return ": ".join(
        one for one in (said, reason if len(reason) <= _LONGEST else f"{reason[:_LONGEST]}…") if one
    )


def _history(letter: Letter, now: datetime) -> RenderableType:
    """Deaths and replays as they came."""
    happened = [(one.at, "not taken", _words(one)) for one in letter.deaths]
    happened += [
        (one.at, "replayed" if one.published_at else "wanted", f"by {one.by}") for one in _asked(letter)
    ]
    return plain_table(
        ("AGE", "WHAT", "WHY"), [(age(at, now), what, why) for at, what, why in sorted(happened)]
    )


def _asked(letter: Letter) -> Sequence[Replay]:
    """Every replay that somebody has asked for."""
    return (*letter.replays, letter.wanted) if letter.wanted else letter.replays


def _content(death: Death) -> dict[str, Any]:
    """What the sender sent."""
    if death.event is not None:
        return {"event": event_to_json(without_trace(death.event))}
    return {"headers": dict(death.headers), "body": base64.b64encode(death.body).decode()}


def _body(death: Death) -> str:
    if death.event is not None:
        return _visible(json.dumps(event_to_json(without_trace(death.event)), indent=2, ensure_ascii=False))
    lines = [f"{name}: {value}" for name, value in death.headers.items()]
    return _visible("\n".join([*lines, "", death.body.decode(errors="backslashreplace")]))


def _visible(text: str) -> str:
    """The text, unable to move the cursor: anybody may have sent it."""
    return "".join(one if one.isprintable() or one in "\n\t" else f"\\x{ord(one):02x}" for one in text)
