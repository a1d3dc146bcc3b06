"""Dead letters for a terminal: a row of a table, and all that is known of one."""

import json
from collections.abc import Iterable
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from knoll.cli.output import multiline
from knoll.cli.tables import Cell, PlainTable, plain_table, state_cell
from knoll.dead_letters.letters import Death
from knoll.quoting import escaped
from knoll.views.letters import Happening, LetterView, history_of, letter_document, whole_document
from knoll.views.units import age

__all__ = ["letter_picture", "letters_table"]

_HEADINGS = ("ID", "TYPE", "SUBJECT", "STATE", "TIMES", "LAST", "REASON")
_LONGEST = 200  # characters of a reason in a table


def letters_table(letters: Iterable[LetterView], now: datetime) -> PlainTable:
    """The letters as a table."""
    return plain_table(_HEADINGS, (_letter_row(one, now) for one in letters))


def letter_picture(view: LetterView, now: datetime) -> RenderableType:
    """One letter: its facts, its history and its content."""
    told = letter_document(view)
    facts = Table(box=None, pad_edge=False, show_header=False, padding=(0, 3, 0, 0))
    for name in ("letter", "state", "type", "subject", "source", "id"):
        if told[name]:
            facts.add_row(Text(f"{name.capitalize()}:"), Text(escaped(told[name])))
    if view.wait:
        facts.add_row(Text("Waits for:"), Text(escaped(view.wait.told)))
    rows = (_history_row(one, now) for one in history_of(view))
    return Group(facts, "", plain_table(("AGE", "WHAT", "WHY"), rows), "", Text(_content(view)))


def _letter_row(view: LetterView, now: datetime) -> tuple[Cell, ...]:
    """The cells under _HEADINGS; only an event has a subject here."""
    subject = view.subject if view.last.event else ""
    named = (view.id, view.type, subject, state_cell(view.state))
    return (*named, str(len(view.letter.deaths)), age(view.last.at, now), _death_words(view.last))


def _history_row(one: Happening, now: datetime) -> tuple[str, str, str]:
    if one.resend is not None:
        what = "resent" if one.resend.published_at else "wanted"
        return (age(one.at, now), what, f"by {one.resend.by}")
    return (age(one.at, now), "not taken", _death_words(one.death) if one.death else "")


def _death_words(death: Death) -> str:
    said = " ".join(one for one in (death.destination, death.code) if one)
    reason = " ".join(death.reason.split())
    short = reason if len(reason) <= _LONGEST else f"{reason[:_LONGEST]}…"
    return ": ".join(one for one in (said, short) if one)


def _content(view: LetterView) -> str:
    """The event as JSON, or the headers and the body."""
    death = view.last
    if death.event is not None:
        return multiline(json.dumps(whole_document(view)["event"], indent=2, ensure_ascii=False))
    lines = [f"{name}: {value}" for name, value in death.headers.items()]
    return multiline("\n".join([*lines, "", death.body.decode(errors="backslashreplace")]))
