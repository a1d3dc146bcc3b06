"""Measurements and goals, and how they are printed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from rich.console import Console
from rich.table import Table

__all__ = ["Goal", "Measured", "print_goals", "show_json", "show_table"]


@dataclass(frozen=True)
class Measured:
    """A thing that was timed several times. `seconds` is in the order of the measurements."""

    what: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median: half of the measurements took longer."""
        return median(self.seconds)

    @property
    def p95(self) -> float:
        """The 95th percentile."""
        return sorted(self.seconds)[-(-len(self.seconds) * 95 // 100) - 1]


@dataclass(frozen=True)
class Goal:
    """A measured value, and the most that it may be."""

    goal: str
    value: float
    target: float

    @property
    def is_met(self) -> bool:
        """Whether the value, as it is shown, is at most the target."""
        return self._shown <= self.target

    @property
    def _shown(self) -> float:
        return round(self.value, 3)

    def line(self) -> str:
        """One line of JSON."""
        return json.dumps(
            {"goal": self.goal, "value": self._shown, "target": self.target, "met": self.is_met}
        )


def show_table(measured: Sequence[Measured], goals: Sequence[Goal]) -> None:
    """Print a table, and last the goals as lines of JSON."""
    table = Table("what")
    for name in ("median", "p95", "least", "most", "times"):
        table.add_column(name, justify="right")
    for one in measured:
        shown = (one.median, one.p95, min(one.seconds), max(one.seconds))
        table.add_row(one.what, *map(_seconds, shown), str(len(one.seconds)))
    Console(width=110).print(table)
    print_goals(goals)


def show_json(measured: Sequence[Measured], goals: Sequence[Goal]) -> None:
    """Print lines of JSON: the measurements, and last the goals."""
    for one in measured:
        seconds = [round(value, 4) for value in one.seconds]
        print(
            json.dumps(
                {
                    "measured": one.what,
                    "median": round(one.median, 4),
                    "p95": round(one.p95, 4),
                    "seconds": seconds,
                }
            )
        )
    print_goals(goals)


def print_goals(goals: Sequence[Goal]) -> int:
    """Print a line of JSON for each goal; 1 if one is missed, else 0."""
    for goal in goals:
        print(goal.line())
    return int(not all(goal.is_met for goal in goals))


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.1f} ms"
