"""What the columns of a table hold, counted row by row. Counts of several files add up, in any order."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Self

from knoll.tables.cells import CellValue, category_of, is_missing, kind_of
from knoll.tables.limits import LONGEST_VALUE, MOST_CATEGORIES
from knoll.tables.table import Table

__all__ = ["ColumnCounts", "TableCounts", "TableShape", "count_table"]

_TEXT = 256  # bytes of memory for a text that is counted


@dataclass
class ColumnCounts:
    """How many cells are missing, and how many look like each kind. `values` are the different ones, as
    categories; once there are more than MOST_CATEGORIES, or one is very long, they are dropped: there are
    `many`. `examples` has one cell of each kind."""

    missing: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    values: Counter[str] = field(default_factory=Counter)
    is_many: bool = False
    examples: dict[str, str] = field(default_factory=dict)

    @property
    def present(self) -> int:
        """How many cells hold something."""
        return self.kinds.total()

    def add(self, cell: CellValue, *, is_typed: bool, missing: Collection[str]) -> None:
        """Count a cell."""
        if is_missing(cell, missing):
            self.missing += 1
            return
        kind = kind_of(cell, is_typed=is_typed)
        self.kinds[kind] += 1
        if kind not in self.examples or not self.is_many:
            self._note(category_of(cell), kind)

    def join(self, other: Self) -> None:
        """Add the counts of another table."""
        self.missing += other.missing
        self.kinds += other.kinds
        self.values += other.values
        for kind, text in other.examples.items():
            self.examples[kind] = min(text, self.examples.get(kind, text))
        self._keep(is_many=other.is_many)

    def _note(self, text: str, kind: str) -> None:
        short = text[:LONGEST_VALUE]
        self.examples[kind] = min(short, self.examples.get(kind, short))
        if not self.is_many:
            self.values[short] += 1
            self._keep(is_many=len(text) > LONGEST_VALUE)

    def _keep(self, *, is_many: bool) -> None:
        if is_many or self.is_many or len(self.values) > MOST_CATEGORIES:
            self.is_many = True
            self.values.clear()


@dataclass(frozen=True)
class TableShape:
    """What a table is beside the others, without what its columns hold."""

    names: Collection[str]
    rows: int
    is_open: bool


@dataclass
class TableCounts:
    """The columns of one table, or of several, and how many rows they have, without the bad ones."""

    columns: dict[str, ColumnCounts]
    rows: int = 0
    is_open: bool = False

    @property
    def names(self) -> Collection[str]:
        """The names of the columns."""
        return self.columns.keys()

    @property
    def size(self) -> int:
        """Bytes of memory, roughly."""
        return _TEXT * sum(1 + len(one.values) for one in self.columns.values())

    def join(self, other: Self) -> None:
        """Add the counts of another table. A column that one of them lacks is missing in all its rows."""
        for name in {**self.columns, **other.columns}:
            mine = self.columns.setdefault(name, ColumnCounts(self.rows))
            mine.join(other.columns.get(name) or type(mine)(other.rows))
        self.rows += other.rows


def count_table(table: Table, missing: Collection[str] = ()) -> TableCounts:
    """Read a table through. `missing` are further texts that stand for nothing. Raises InvalidData as its
    rows."""
    counts = {name: ColumnCounts() for name in table.names}
    columns, rows = [*counts.values()], 0
    for _, cells in table.rows:
        if isinstance(cells, str):
            continue
        rows += 1
        for column, cell in zip(columns, cells, strict=True):
            column.add(cell, is_typed=table.is_typed, missing=missing)
    return TableCounts(counts, rows, table.is_open)
