"""Past rollouts beside what another policy would have made of them."""

from rich.console import Group, RenderableType

from knoll.cli.tables import Cell, plain_table, state_cell
from knoll.quantities import counted
from knoll.views.hindsight import HindsightView, PastRollout
from knoll.waits import clock_time

__all__ = ["HINDSIGHT_HEADINGS", "hindsight_picture", "hindsight_row"]

HINDSIGHT_HEADINGS = ("MODEL", "VERSION", "STARTED", "ENDED", "WOULD", "STEP", "WHY")


def hindsight_row(one: PastRollout) -> tuple[Cell, ...]:
    """The cells under HINDSIGHT_HEADINGS."""
    again = one.again
    told = again.why if one.differs is not None else f"unknown from step {again.step} on: {again.why}"
    ends = (state_cell(one.ended), state_cell(again.would))
    return (one.model, one.version, clock_time(one.started_at), *ends, str(again.step), told)


def hindsight_picture(view: HindsightView) -> RenderableType:
    """A row for each rollout, and what they come to."""
    rollouts = counted(len(view.rollouts), "rollout")
    ends = f"{view.otherwise} would have ended differently, and {view.unknown} cannot be told"
    whole = f"Of {rollouts}, {ends}."
    if not view.rollouts:
        return "No rollout has ended yet."
    return Group(plain_table(HINDSIGHT_HEADINGS, map(hindsight_row, view.rollouts)), "", whole)
