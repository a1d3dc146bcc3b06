"""Sections of results: shown as tables, and written into a page between two markers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from results import Goal
from rich.console import Console
from rich.table import Table

__all__ = ["Section", "per_cent", "print_sections", "write_page"]

_MARKED = re.compile(r"^(<!-- measured: rollout -->\n).*?^(<!-- end -->)", re.DOTALL | re.MULTILINE)


@dataclass
class Section:
    """A table with its goals. `about` says what is measured."""

    about: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)


def per_cent(part: float) -> str:
    """A part as a percentage."""
    return f"{100 * part:.3g} %"


def print_sections(sections: Sequence[Section]) -> None:
    """Print all tables, each with what it is about below it."""
    console = Console(width=140)
    for section in sections:
        table = Table(*section.header)
        for row in section.rows:
            table.add_row(*row)
        console.print(table)
        console.print(section.about)


def write_page(page: Path, sections: Sequence[Section], note: str) -> None:
    """Write all tables and goals into the page."""
    text = "\n".join([note, "", *(_markdown(section) for section in sections)])
    before = page.read_text(encoding="utf-8")
    page.write_text(_MARKED.sub(lambda found: f"{found[1]}\n{text}\n{found[2]}", before), encoding="utf-8")


def _markdown(section: Section) -> str:
    lines = [f"{section.about}:", "", _line(section.header), _line(("---",) * len(section.header))]
    lines += [_line(row) for row in section.rows]
    missed = [
        f"{goal.goal} ({goal.value:.3g}, the goal is {goal.target:g})"
        for goal in section.goals
        if not goal.is_met
    ]
    met = f"{len(section.goals) - len(missed)} of {len(section.goals)} goals are met"
    if section.goals:
        lines += ["", f"{met}. Missed: {'; '.join(missed)}." if missed else f"{met}."]
    return "\n".join([*lines, ""])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
