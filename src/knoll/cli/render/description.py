"""One model for a terminal, as kn describes things."""

from collections.abc import Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table

from knoll.cli.render.models import data_words, phase_words
from knoll.cli.render.runs import run_line
from knoll.cli.tables import Cell, plain_table, state_cell
from knoll.quantities import counted
from knoll.quoting import escaped
from knoll.views.conditions import Condition
from knoll.views.description import Description
from knoll.views.facets import facets_words
from knoll.views.labels import labels_words
from knoll.views.models import ModelView
from knoll.views.revisions import RevisionView
from knoll.views.units import age

__all__ = ["description_picture"]

_MARKS = {"True": "++", "False": "!!"}
_WAITS = {
    "Edited": "Edited",
    "WaitsForApproval": "Approval",
    "Paused": "Paused",
    "NoRoom": "Room",
    "WaitsForHook": "Hook",
}


def description_picture(found: Description, now: datetime) -> RenderableType:
    """The model's facts, its revisions and its conditions."""
    facts = Table.grid(padding=(0, 2))
    for name, fact in _facts(found, now):
        if fact:
            facts.add_row(f"{name}:", escaped(fact))
    parts: list[RenderableType] = [facts]
    if found.revisions:
        headings = ("REVISION", "TRAFFIC", "VERSION", "ROLE", "TAGS", "READY")
        parts += ["", plain_table(headings, (_revision_row(one, now) for one in found.revisions))]
    if found.model.conditions:
        parts += ["", _condition_table(found.model.conditions, now)]
    return Group(*parts)


def _facts(found: Description, now: datetime) -> list[tuple[str, str]]:
    model = found.model
    return [
        ("Name", model.name),
        ("Namespace", model.namespace),
        ("Age", age(model.created_at, now)),
        ("Family", model.family),
        ("URL", model.predict_url),
        ("Champion", _with_percent(found, model.champion)),
        ("Candidate", _with_percent(found, model.candidate)),
        ("Previous", _with_percent(found, model.previous)),
        ("Phase", phase_words(model)),
        (_WAITS.get(model.standing.kind, ""), model.wait.told if model.wait else ""),
        ("Data", _data_words(found)),
        ("Golden set", _golden_words(found)),
        ("Waits for", found.data_wait.told if found.data_wait else ""),
        ("Labels", labels_words(found.labels)),
        ("Answers", found.drift.words if found.drift else ""),
        ("Moved", facets_words(found.facets)),
        ("Run", run_line(found.run) if found.run else ""),
        ("Quarantine", ", ".join(_quarantine_words(model, version, now) for version in model.quarantine)),
    ]


def _quarantine_words(model: ModelView, version: str, now: datetime) -> str:
    since = age(model.quarantined_at.get(version, ""), now)
    return f"{version} ({model.quarantine[version]}{f'; for {since}' if since else ''})"


def _data_words(found: Description) -> str:
    """State and reason; the reason stands in the next line if that wait still goes on."""
    is_told = found.data_wait is not None and found.data_wait.what == found.model.data_reason
    return found.model.data_state if is_told else data_words(found.model)


def _golden_words(found: Description) -> str:
    """Where the golden set lies, and in which state it is pinned."""
    exam = found.exam
    if exam is None or exam.pin is None:
        return f"{exam.uri}, {exam.fault or 'not pinned yet'}" if exam else ""
    pin = exam.pin
    return f"{pin.uri}, pinned with {counted(pin.files, 'file')}, digest {pin.digest[:12]}, by {pin.run}"


def _with_percent(found: Description, version: str) -> str:
    percent = found.percent_of(version)
    return f"{version} {percent} %" if version and percent else version


def _revision_row(one: RevisionView, now: datetime) -> tuple[Cell, ...]:
    name = f"{one.name} [{one.generation}] ({age(one.created_at, now)})"
    ready = f"{one.ready} ({one.reason})" if one.reason else one.ready
    tags = ", ".join(f"#{tag}" for tag in one.tags)
    return (name, f"{one.percent} %", one.version, state_cell(one.role), tags, ready)


def _condition_table(conditions: Sequence[Condition], now: datetime) -> RenderableType:
    """With their ages, if any is known: a laptop keeps none."""
    has_age = any(age(one.since, now) for one in conditions)
    rows = (
        (mark, one.type, *([age(one.since, now)] * has_age), "" if mark == "++" else one.words)
        for one in conditions
        for mark in [_MARKS.get(one.status, "??")]
    )
    return plain_table(("OK", "TYPE", *["AGE"] * has_age, "REASON"), rows)
