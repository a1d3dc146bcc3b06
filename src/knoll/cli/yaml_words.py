"""What is wrong with a text that is no YAML, in our words: nothing that PyYAML says is passed on.

The sentences are in `yaml_rows`.
"""

import re
from dataclasses import dataclass
from typing import Any

import yaml

from knoll.cli.yaml_rows import ROWS, Row
from knoll.quoting import escaped

__all__ = ["NotYaml", "place_at", "words_of"]

_BREAK = re.compile("\r\n|[\n\r]")


@dataclass(frozen=True)
class NotYaml:
    """A fault: its line and column, counted from 1, and what is wrong there."""

    line: int
    column: int
    words: str


def words_of(error: yaml.MarkedYAMLError, text: str) -> NotYaml:
    """The fault that PyYAML has met in the text."""
    lines = _BREAK.split(text)
    problem = error.problem_mark or error.context_mark
    context = error.context_mark or problem
    for row in ROWS:
        here, other = (context, problem) if row.is_at_context else (problem, context)
        if here is not None and _applies(row, error, _Spot(lines, here.line, here.column)):
            return _told(row, lines, here, other)
    return NotYaml(1, 1, ROWS[-1].words)


def place_at(text: str, position: int) -> tuple[int, int]:
    """Line and column of a character, counted from 1."""
    starts = [0, *(found.end() for found in _BREAK.finditer(text, 0, position))]
    return len(starts), position - starts[-1] + 1


@dataclass(frozen=True)
class _Spot:
    """A place in the lines, counted from 0."""

    lines: list[str]
    row: int
    column: int

    @property
    def line(self) -> str:
        return self.lines[self.row] if self.row < len(self.lines) else ""

    @property
    def at(self) -> str:
        return self.line[self.column :]

    @property
    def upto(self) -> str:
        return self.line[: self.column]

    @property
    def above(self) -> int:
        """The last line before that has something, counted from 0; -1 for none."""
        return next((row for row in range(self.row - 1, -1, -1) if self.lines[row].strip()), -1)

    @property
    def before(self) -> str:
        return self.lines[self.above] if self.above >= 0 else ""


def _applies(row: Row, error: yaml.MarkedYAMLError, spot: _Spot) -> bool:
    asked = ((row.context, str(error.context or "")), (row.problem, str(error.problem or "")))
    seen = ((getattr(row, name), getattr(spot, name)) for name in ("at", "upto", "line", "before"))
    return all(not pattern or re.search(pattern, found) for pattern, found in (*asked, *seen))


def _told(row: Row, lines: list[str], here: Any, other: Any) -> NotYaml:
    spot = _Spot(lines, here.line, here.column)
    words = row.words.format(
        char=escaped(spot.at[:1]) or "the end of the line",
        line=other.line + 1,
        column=other.column + 1,
        above=spot.above + 1,
    )
    return NotYaml(here.line + 1, here.column + 1, words)
