"""Parquet, a part of the rows at a time. Only the trainer has pyarrow.

Equal texts are one text in a file, however many rows have them. So they stay the numbers of a dictionary
until it is known how long the rows are: a part has as many rows as fit into memory.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from knoll.data_files import normal
from knoll.errors import InvalidData
from knoll.quantities import in_words
from knoll.quoting import escaped
from knoll.tables.cells import CellValue
from knoll.tables.limits import LONGEST_ROW, MOST_UNPACKED, rows_at_once
from knoll.tables.parquet_pages import read_pages
from knoll.tables.table import Row, Table, check_names, check_rows, guarded

__all__ = ["read_parquet"]

_CHARACTERS = 4 * LONGEST_ROW  # of the rows that are objects of Python
_DECODED = 2**26  # bytes of the texts that are in no dictionary
_MOST_TEXT = 16 * MOST_UNPACKED  # characters of all rows
MOST_AT_ONCE = 2**28  # bytes of the pages that pyarrow holds unpacked: one of each column


def read_parquet(body: bytes) -> Table:
    """The table of a file. Raises InvalidData in words that begin with "it", also without pyarrow."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise InvalidData(
            "it is Parquet, which takes pyarrow to read: pip install pyarrow, or write CSV"
        ) from error
    with guarded("it is no Parquet that can be read"):
        loose = _check_pages(body)
        file = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(body))
    check_rows(file.metadata.num_rows)
    names = [normal(name) for name in file.schema_arrow.names]
    check_names(names)
    _check_types(file.schema_arrow)
    return Table(tuple(names), _rows(body, file, loose), "row", is_typed=True)


def _check_pages(body: bytes) -> dict[str, int]:
    """The columns of text of which pyarrow makes no dictionary, and how many bytes a cell may have. Raises
    InvalidData if the pages take too much when they are unpacked."""
    loose: dict[str, int] = {}
    size = 0
    for columns in read_pages(body):
        size += sum(one.unpacked for one in columns)
        if size > MOST_UNPACKED:
            raise InvalidData(
                f"it has more than {in_words(MOST_UNPACKED)} when it is unpacked: write several files"
            )
        if (at_once := sum(one.largest for one in columns)) > MOST_AT_ONCE:
            raise InvalidData(
                f"the largest pages of its columns have {in_words(at_once)} together when they are unpacked, "
                f"more than {in_words(MOST_AT_ONCE)}: write smaller pages or groups of rows"
            )
        for one in columns:
            if one.is_loose:
                loose[one.path] = max(one.unpacked, loose.get(one.path, 0))
    return loose


def _check_types(schema: Any) -> None:
    from pyarrow import types

    known = (
        types.is_boolean, types.is_integer, types.is_floating, types.is_decimal, types.is_string,
        types.is_large_string, types.is_date, types.is_timestamp, types.is_null,
    )  # fmt: skip
    for field in schema:
        kind = field.type.value_type if types.is_dictionary(field.type) else field.type
        if not any(is_one(kind) for is_one in known):
            raise InvalidData(
                f"its column {escaped(field.name)} has the type {str(field.type)[:60]}, and must have "
                "numbers, text, dates, or true and false"
            )


def _rows(body: bytes, file: Any, loose: dict[str, int]) -> Iterator[Row]:
    import pyarrow
    import pyarrow.parquet

    names = [name for name in file.schema_arrow.names if name not in loose]
    at_once = max(1, min(rows_at_once(len(file.schema_arrow)), _DECODED // max(1, sum(loose.values()))))
    number = taken = 0
    packed = pyarrow.parquet.ParquetFile(
        pyarrow.BufferReader(body), metadata=file.metadata, read_dictionary=names
    )
    for batch in packed.iter_batches(at_once):
        lengths = _lengths(batch)
        taken += sum(lengths)
        if taken > _MOST_TEXT:
            raise InvalidData(f"it has more than {in_words(_MOST_TEXT)} of text, most of it many times")
        for start, length in _parts(lengths):
            if length is None:
                number += 1
                yield number, f"it has more than {LONGEST_ROW:,} characters"
                continue
            columns = [_cells(column.slice(start, length)) for column in batch.columns]
            for cells in zip(*columns, strict=True):
                number += 1
                yield number, [_cell(one) for one in cells]


def _lengths(batch: Any) -> list[int]:
    """How many characters of text each row has."""
    from pyarrow import compute, types

    total = [0] * batch.num_rows
    for column in batch.columns:
        if types.is_string(column.type) or types.is_large_string(column.type):
            lengths = compute.utf8_length(column)
        elif types.is_dictionary(column.type) and not types.is_primitive(column.type.value_type):
            used = compute.unique(column.indices.drop_null())  # the dictionary may be that of many batches
            texts = compute.utf8_length(column.dictionary.take(used))
            lengths = texts.take(compute.index_in(column.indices, used))
        else:
            continue
        total = [sum(pair) for pair in zip(total, compute.fill_null(lengths, 0).to_pylist(), strict=True)]
    return total


def _parts(lengths: Sequence[int]) -> Iterator[tuple[int, int | None]]:
    """The rows, in parts of a start and a number of rows that fit into memory together; None for a row that
    is too long alone."""
    start, taken = 0, 0
    for place, length in enumerate(lengths):
        if place > start and taken + length > _CHARACTERS:
            yield start, place - start
            start, taken = place, 0
        taken += length
        if length > LONGEST_ROW:
            if place > start:
                yield start, place - start
            yield place, None
            start, taken = place + 1, 0
    if start < len(lengths):
        yield start, len(lengths) - start


def _cells(column: Any) -> list[Any]:
    from pyarrow import types

    plain = column.dictionary_decode() if types.is_dictionary(column.type) else column
    cells: list[Any] = plain.to_pylist()
    return cells


def _cell(value: Any) -> CellValue:
    """A decimal becomes a float, a date its text in ISO form."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value.isoformat()) if hasattr(value, "isoformat") else float(value)
