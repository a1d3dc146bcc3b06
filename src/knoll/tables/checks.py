"""What holds for the rows of any table, whichever library has read them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from knoll.quoting import escaped
from knoll.tables.cells import CellValue
from knoll.tables.limits import LONGEST_CELL
from knoll.tables.table import Row, Table, check_rows, guarded, is_text

__all__ = ["checked"]


def checked(table: Table) -> Table:
    """The same table, where a row with a cell that nobody can use is bad."""
    return replace(table, rows=_rows(table))


def _rows(table: Table) -> Iterator[Row]:
    count, rows = 0, table.rows
    while True:
        with guarded(f"it is damaged behind row {count}"):
            row = next(rows, None)
        if row is None:
            return
        count += 1
        check_rows(count)
        number, cells = row
        yield number, cells if isinstance(cells, str) else _fault(table.names, cells) or cells


def _fault(names: Sequence[str], cells: Sequence[CellValue]) -> str:
    """Why a row is bad; "" if it is not. Half of a surrogate pair has no UTF-8, so no record can hold it."""
    for name, cell in zip(names, cells, strict=True):
        if isinstance(cell, str):
            if len(cell) > LONGEST_CELL:
                return f"{escaped(name)} has more than {LONGEST_CELL:,} characters"
            if not is_text(cell):
                return f"{escaped(name)} has half of a surrogate pair, \\ud800 to \\udfff"
    return ""
