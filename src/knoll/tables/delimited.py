"""CSV and TSV, row by row, with the standard library's reader in its strict mode."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import suppress

from knoll.data_files import normal
from knoll.errors import InvalidData
from knoll.quoting import escaped
from knoll.tables.cells import kind_of
from knoll.tables.limits import LONGEST_CELL
from knoll.tables.table import Row, Table, check_names
from knoll.tables.text import open_text

__all__ = ["read_delimited"]

_DELIMITERS = (",", ";", "\t", "|")


def read_delimited(body: bytes, *, is_tabbed: bool) -> Table:
    """The table of a file. CSV may be delimited by `,`, `;`, tab or `|`: by the one that splits the first
    line into most names. Raises InvalidData in words that begin with "it"."""
    found = {one: _header(body, one) for one in (["\t"] if is_tabbed else _DELIMITERS)}
    delimiter = max(found, key=lambda one: len(found[one]))
    names = found[delimiter]
    if names and names[0].lower().startswith("sep="):
        raise InvalidData(f"its first line is {names[0][:4]!r}, which only Excel knows: remove that line")
    _check_header(names)
    return Table(tuple(names), _rows(body, delimiter, len(names)), "line", is_typed=False)


def _check_header(names: Sequence[str]) -> None:
    """Raise InvalidData if the first line has other things than names."""
    if not names:
        raise InvalidData("it has no columns: its first line must have the names of the columns")
    if names[0].startswith("# ") or (names[0].startswith("#") and not names[1:]):
        raise InvalidData(
            f"its first line begins with {escaped(names[0][:40])!r}, a comment: remove that line, or the # "
            "if the names of the columns stand there"
        )
    check_names(names)
    if all(kind_of(name, is_typed=False) == "number" for name in names):
        raise InvalidData("its first line has numbers, and must have the names of the columns")


def _header(body: bytes, delimiter: str) -> list[str]:
    """The first row that is not blank; empty if there is none, or if it cannot be read in this way."""
    rows = csv.reader(open_text(body), delimiter=delimiter, strict=True)
    with suppress(csv.Error):
        return [normal(name.strip()) for name in next(filter(None, rows), [])]
    return []


def _rows(body: bytes, delimiter: str, width: int) -> Iterator[Row]:
    lines = open_text(body)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    is_header = True
    while True:
        first = lines.number + 1
        lines.begin_row()
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield first, _fault(error, first)
            continue
        if cells is None:
            return
        if not cells:
            continue  # a blank line
        if is_header:
            is_header = False
        elif len(cells) != width:
            yield first, f"it has {len(cells)} cells, and the header has {width}"
        else:
            yield first, cells


def _fault(error: csv.Error, line: int) -> str:
    """Why a row cannot be read. Raises InvalidData if nobody knows where it ends."""
    text = str(error)
    if "unexpected end" in text:
        raise InvalidData(f"a quote that begins in line {line} is not closed") from error
    if "field larger" in text:
        raise InvalidData(
            f"it has a cell with more than {LONGEST_CELL:,} characters, in the row of line {line}: see "
            "whether a quote is not closed"
        ) from error
    return f"it cannot be read: {text}"
