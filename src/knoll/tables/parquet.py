"""Parquet, a part of the rows at a time. Only the trainer has pyarrow."""

import io
from collections.abc import Iterator
from typing import Any

from knoll.errors import InvalidData
from knoll.quantities import in_words
from knoll.quoting import escaped
from knoll.tables.cells import CellValue
from knoll.tables.limits import MOST_UNPACKED
from knoll.tables.table import Row, Table, check_names

__all__ = ["read_parquet"]

_AT_ONCE = 4096  # rows


def read_parquet(body: bytes) -> Table:
    """The table of a file. Raises InvalidData in words that begin with "it", also without pyarrow."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise InvalidData(
            "it is Parquet, which takes pyarrow to read: pip install pyarrow, or write CSV"
        ) from error
    try:
        file = pyarrow.parquet.ParquetFile(io.BytesIO(body))
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise InvalidData(f"it is no Parquet that can be read: {_first_line(error)}") from error
    schema = file.schema_arrow
    check_names(schema.names)
    _check_types(schema)
    groups = (file.metadata.row_group(number) for number in range(file.metadata.num_row_groups))
    if (size := sum(one.total_byte_size for one in groups)) > MOST_UNPACKED:
        raise InvalidData(
            f"it has {in_words(size)} when it is unpacked, more than {in_words(MOST_UNPACKED)}: write "
            "several files"
        )
    return Table(tuple(schema.names), _rows(file), "row", is_typed=True)


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


def _rows(file: Any) -> Iterator[Row]:
    import pyarrow

    number = 0
    try:
        for batch in file.iter_batches(_AT_ONCE):
            columns = [column.to_pylist() for column in batch.columns]
            for cells in zip(*columns, strict=True):
                number += 1
                yield number, [_cell(one) for one in cells]
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise InvalidData(f"it is damaged behind row {number}: {_first_line(error)}") from error


def _cell(value: Any) -> CellValue:
    """A decimal becomes a float, a date its text in ISO form."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value.isoformat()) if hasattr(value, "isoformat") else float(value)


def _first_line(error: Exception) -> str:
    return escaped(str(error).partition("\n")[0][:200])
