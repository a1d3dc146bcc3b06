"""Runs in a table and on one line."""

from collections.abc import Iterator
from datetime import datetime

from rich.console import Group, RenderableType

from knoll.cli.render.curve import sparkline
from knoll.cli.tables import Cell, plain_table, state_cell
from knoll.quoting import escaped
from knoll.views.run import RunView
from knoll.views.runs import RunsView
from knoll.views.units import age, duration, scores, size

__all__ = ["RUN_HEADINGS", "live_picture", "run_line", "run_row", "runs_lines", "runs_picture"]

_MOST_LOSSES = 4  # of a run
RUN_HEADINGS = ("RUN", "MODEL", "STATE", "PROGRESS", "ETA", "METRICS", "VERSION", "AGE", "WHY")


def run_row(view: RunView, now: datetime) -> tuple[Cell, ...]:
    """The cells under RUN_HEADINGS."""
    told = (_percent(view), _time_left(view), scores(view.metrics, view.golden), view.version)
    named = (view.run.id, view.run.model, state_cell(view.shown_state))
    return (*named, *told, age(view.run.created_at, now), _why(view))


def run_line(view: RunView) -> str:
    """The run on one line, without its age: the line changes only when the run does."""
    why = _why(view)
    reason = f"({why})" if why else ""
    eta = f"ETA {_time_left(view)}" if _time_left(view) else ""
    told = (
        view.run.id,
        view.shown_state,
        reason,
        _percent(view),
        eta,
        scores(view.metrics, view.golden),
        view.version,
    )
    return " ".join(part for part in told if part)


def runs_lines(view: RunsView) -> tuple[str, ...]:
    """A line for each run, for each model whose data waits, and for what is left out."""
    return (*(run_line(one) for one in view.runs), *_waiting_lines(view), *_left_out(view))


def runs_picture(view: RunsView, now: datetime) -> RenderableType:
    """The runs for a terminal, and under them what is still to come."""
    table = plain_table(RUN_HEADINGS, (run_row(one, now) for one in view.runs))
    none = [] if view.left_out else ["No runs yet."]
    return Group(*([table] if view.runs else none), *map(escaped, (*_waiting_lines(view), *_left_out(view))))


def live_picture(view: RunsView, now: datetime) -> RenderableType:
    """The same, with the losses of the runs that train."""
    return Group(runs_picture(view, now), *(escaped(line) for run in view.runs for line in _sparks(run)))


def _sparks(view: RunView) -> Iterator[str]:
    """A line for each loss: its first value, its course, its last value."""
    for name, points in [*view.losses.items()][:_MOST_LOSSES]:
        values = [value for _, value in points]
        if len(values) > 1:
            yield f"{view.run.id}  {name} {values[0]:.4g} {sparkline(values)} {values[-1]:.4g}"


def _why(view: RunView) -> str:
    """What the run does, why it waits or ended so, and which attempt it is."""
    return ", ".join(filter(None, (_doing(view), *_attempt(view))))


def _attempt(view: RunView) -> list[str]:
    if view.attempt < 2 or view.state != "Running":
        return []
    resumed = [f"resumed after step {view.resumed_step}"] if view.resumed_step else []
    return [*resumed, f"attempt {view.attempt}"]


def _doing(view: RunView) -> str:
    read, steps = view.reading, view.steps
    if steps is not None:
        speed = steps.examples_per_second
        told = f", {speed:,.0f} examples/s" if speed is not None else ""
        return f"{view.reason}: step {steps.step} of {steps.of_steps}, epoch {steps.epoch}{told}"
    if read is None:
        return view.trouble
    files, bytes = f"{read.files} of {read.of_files} objects", f"{size(read.bytes)} of {size(read.of_bytes)}"
    return f"{view.reason}: {files}, {bytes}"


def _waiting_lines(view: RunsView) -> list[str]:
    return [f"Waiting for {one.model}: {one.wait.told}" for one in view.waiting]


def _left_out(view: RunsView) -> list[str]:
    return [view.left_out] if view.left_out else []


def _percent(view: RunView) -> str:
    return "" if view.percentage is None else f"{view.percentage} %"


def _time_left(view: RunView) -> str:
    return "" if view.seconds_left is None else duration(view.seconds_left)
