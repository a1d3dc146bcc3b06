"""Tables as kubectl and kn print them: capital headings, no borders, so that grep and awk work on them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.table import Table
from rich.text import Text

from knoll.quoting import escaped

__all__ = ["STYLES", "Cell", "PlainTable", "plain_table", "state_cell"]

Cell = str | Text

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
    "Diverged": "red",
    "Refused": "red",
    "Held": "yellow",
    "held": "yellow",
    "Damaged": "red",
    "Failed": "red",
    "Unknown": "red",
    "RolledBack": "red",
    "quarantined": "red",
    "rejected": "red",
}


_KEYS = ("RUN", "NAME", "REVISION", "VERSION", "ID")  # arguments of further commands: never shrunk
_WHOLE = (
    *(*_KEYS, "FAMILY", "STATE", "PROGRESS", "ETA", "AGE"),
    *("CHAMPION", "CANDIDATE", "PHASE", "TRAFFIC", "URL"),
)
_SPARE = ("MODEL", "FAMILY", "DATA", "METRICS")  # a narrow terminal leaves these out, in this order
_WRAPPED = 16  # least width of a column that wraps
_INDENT = 2


@dataclass(frozen=True)
class PlainTable:
    """A table whose cells are texts of one line each.

    If the table is too wide, its columns move together; then it leaves out empty columns, and then columns
    that can be spared. If even that is too wide, each row becomes a block with a line for each cell.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[Text]]
    spare: Sequence[str] = _SPARE

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The first layout that fits, else blocks."""
        fitting = (one for one in self._layouts() if self._least_width(*one) <= options.max_width)
        layout = next(fitting, None)
        yield self._table(*layout) if layout else Group(*map(self._block, self.rows))

    def _block(self, row: Sequence[Text]) -> Table:
        """A row below its first cell."""
        block = Table.grid(padding=(0, 1, 0, 0))
        block.add_column(no_wrap=True)
        block.add_column(overflow="fold")
        for heading, cell in zip(self.headings, row, strict=True):
            if cell and heading != self.headings[0]:
                block.add_row(f"{' ' * _INDENT}{heading}", cell)
        whole = Table.grid()
        whole.add_column(overflow="fold")
        whole.add_row(Text(row[0].plain, style="bold"))
        whole.add_row(block)
        return whole

    def _layouts(self) -> list[tuple[int, Sequence[int]]]:
        """Gaps between columns, and the numbers of the columns shown; the widest layout first."""
        every = range(len(self.headings))
        shown = [number for number in every if any(row[number] for row in self.rows)]
        spared = [
            [one for one in shown if self.headings[one] not in self.spare[:end]]
            for end in range(len(self.spare) + 1)
        ]
        return [(3, every), (1, every), *((1, one) for one in spared)]

    def _least_width(self, gap: int, shown: Sequence[int]) -> int:
        widths = [
            self._width(one) if self.headings[one] in _WHOLE else min(self._width(one), _WRAPPED)
            for one in shown
        ]
        return sum(widths) + gap * (len(widths) - 1)

    def _width(self, number: int) -> int:
        heading = Text(self.headings[number])
        return max(cell.cell_len for cell in (heading, *(row[number] for row in self.rows)))

    def _table(self, gap: int, shown: Sequence[int]) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
        for number in shown:
            heading = self.headings[number]
            least = self._width(number) if heading in _KEYS else None
            table.add_column(heading, no_wrap=heading in _WHOLE, min_width=least, overflow="fold")
        for row in self.rows:
            table.add_row(*(row[one] for one in shown))
        return table


def state_cell(state: str) -> Text:
    """A cell that is a state, in the colour of that state."""
    return Text(escaped(state), style=STYLES.get(state, ""))


def plain_table(
    headings: Sequence[str], rows: Iterable[Sequence[Cell]], spare: Sequence[str] = _SPARE
) -> PlainTable:
    """The table of these rows, each with a cell for every heading. Only a `state_cell` has a colour. `spare`
    are the columns that a narrow terminal leaves out, in this order."""
    return PlainTable(headings, [tuple(map(_text, row)) for row in rows], spare)


def _text(cell: Cell) -> Text:
    return cell if isinstance(cell, Text) else Text(escaped(cell))
