"""Tables as kubectl and kn print them: capital headings, no borders, so that grep and awk work on them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from knoll.quoting import escaped

__all__ = ["STYLES", "PlainTable", "plain_table"]

STYLES = {
    "Succeeded": "green",
    "Promoted": "green",
    "champion": "green",
    "Running": "cyan",
    "candidate": "cyan",
    "Replayed": "green",
    "Pending": "yellow",
    "Queued": "yellow",
    "Blocked": "yellow",
    "Wanted": "yellow",
    "Dead": "red",
    "Rejected": "red",
    "Refused": "red",
    "Damaged": "red",
    "Failed": "red",
    "RolledBack": "red",
    "quarantined": "red",
    "rejected": "red",
}


_KEYS = ("RUN", "NAME", "VERSION", "ID")  # arguments of further commands: never shrunk
_WHOLE = (*_KEYS, "STATE", "PROGRESS", "ETA", "AGE")
_SPARE = ("MODEL", "FAMILY", "DATA", "METRICS")  # a narrow terminal leaves these out, in this order
_WRAPPED = 12  # least width of a column that wraps


@dataclass(frozen=True)
class PlainTable:
    """A table with cells of plain text. A cell that begins with a state has its colour.

    If the table is too wide, its columns move together; then it leaves out empty columns, and then columns
    that can be spared.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The first layout that fits, else the last."""
        layouts = self._layouts()
        gap, shown = next(
            (one for one in layouts if self._least_width(*one) <= options.max_width), layouts[-1]
        )
        yield self._table(gap, shown)

    def _layouts(self) -> list[tuple[int, Sequence[int]]]:
        """Gaps between columns, and the numbers of the columns shown; the widest layout first."""
        every = range(len(self.headings))
        shown = [number for number in every if any(row[number] for row in self.rows)]
        spared = [
            [one for one in shown if self.headings[one] not in _SPARE[:end]] for end in range(len(_SPARE) + 1)
        ]
        return [(3, every), (1, every), *((1, one) for one in spared)]

    def _least_width(self, gap: int, shown: Sequence[int]) -> int:
        widths = [
            self._width(one) if self.headings[one] in _WHOLE else min(self._width(one), _WRAPPED)
            for one in shown
        ]
        return sum(widths) + gap * (len(widths) - 1)

    def _width(self, number: int) -> int:
        return max(cell_len(cell) for cell in (self.headings[number], *(row[number] for row in self.rows)))

    def _table(self, gap: int, shown: Sequence[int]) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
        for number in shown:
            heading = self.headings[number]
            least = self._width(number) if heading in _KEYS else None
            table.add_column(heading, no_wrap=heading in _WHOLE, min_width=least, overflow="fold")
        for row in self.rows:
            table.add_row(*(Text(row[one], style=STYLES.get(row[one].split(" ")[0], "")) for one in shown))
        return table


def plain_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> PlainTable:
    """The table of these rows, each with a cell for every heading."""
    return PlainTable(headings, [tuple(map(escaped, row)) for row in rows])
