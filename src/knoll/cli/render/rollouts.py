"""A rollout for a terminal, and its steps on one line each."""

from collections.abc import Mapping
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from knoll.cli.bars import wait_bar
from knoll.cli.tables import plain_table
from knoll.quoting import escaped
from knoll.records.rollout import RolloutStep
from knoll.views.facets import facets_words
from knoll.views.labels import labels_words
from knoll.views.rollouts import RolloutView

__all__ = ["replayed_words", "rollout_lines", "rollout_picture", "step_line"]


def rollout_lines(view: RolloutView) -> tuple[str, ...]:
    """A line for each step, and one for what the next rollout waits for."""
    waiting = (f"Waiting: {view.wait.told}",) if view.wait else ()
    return (*(step_line(one) for one in view.steps), *waiting)


def step_line(step: RolloutStep) -> str:
    """One step in words, with its numbers."""
    counts = ", ".join(
        f"{value} {name}" for name, value in step.evidence.items() if value and name != "inStep"
    )
    what = f"{step.version} {step.action} {step.percent} %"
    return " — ".join(part for part in (what, step.reason, counts) if part)


def rollout_picture(view: RolloutView, now: datetime) -> RenderableType:
    """The rollout for a terminal: the version on trial, its traffic and evidence, and every verdict so
    far."""
    if not view.steps:
        return Text(escaped(f"No rollout yet. Waiting: {view.wait.told}" if view.wait else "No rollout yet."))
    facts = Table.grid(padding=(0, 2))
    for name, fact in _facts(view, now):
        if fact:
            facts.add_row(name, escaped(fact) if isinstance(fact, str) else fact)
    rows = ((one.at[11:19], one.action, f"{one.percent} %", one.reason) for one in view.steps)
    return Group(facts, "", plain_table(("TIME", "STEP", "TRAFFIC", "WHY"), rows))


def replayed_words(counts: Mapping[str, int]) -> str:
    """How many requests knoll has sent itself, and how many of them came from users."""
    recorded = f" ({counts['recorded']} recorded)" if counts["recorded"] else ""
    return f"{counts['replayed']} replayed{recorded}"


def _facts(view: RolloutView, now: datetime) -> list[tuple[str, RenderableType]]:
    counts = view.evidence
    on_trial = view.version if view.model.candidate else f"nothing ({view.version} was the last)"
    return [
        ("Model", view.model.name),
        ("On trial", on_trial),
        ("Champion", view.model.champion or "none"),
        ("Phase", view.model.phase or "Idle"),
        ("Traffic", f"{view.percent} % to {view.receiver}" if view.receiver else "none"),
        (
            "Evidence",
            f"{counts['requests']} requests, {counts['errors']} failed, {replayed_words(counts)}"
            + (f"; {counts['refused']} refused" if counts["refused"] else ""),
        ),
        ("Comparison", view.comparison.words if view.comparison else ""),
        ("Labels", labels_words(view.labels)),
        ("Moved", facets_words(view.facets)),
        ("Waiting", view.wait.told if view.wait else ""),
        ("", wait_bar(view.wait, now) if view.wait else ""),
    ]
