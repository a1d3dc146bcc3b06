"""npz, the archive of numpy: each array of it is a column, or as many columns as it has."""

import io
import math
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

from knoll.data_files import normal
from knoll.errors import InvalidData
from knoll.quantities import in_words
from knoll.quoting import escaped
from knoll.tables.limits import MOST_COLUMNS, MOST_UNPACKED, rows_at_once
from knoll.tables.table import Row, Table, check_names, check_rows, guarded

__all__ = ["read_arrays"]

_AT_ONCE = 2**24  # bytes of the rows that are objects of Python


def read_arrays(body: bytes) -> Table:
    """The table of a file. An array (N,) is a column of its name; (N, C) are the columns `name_0` and so on.
    Arrays of objects are refused: to read one may run code. Raises InvalidData in words that begin with
    "it"."""
    try:
        import numpy  # noqa: F401
    except ImportError as error:
        raise InvalidData("it is npz, which takes numpy to read: pip install numpy, or write CSV") from error
    columns: dict[str, Any] = {}
    for name, array in _load(body).items():
        columns |= {name: array} if array.ndim == 1 else _split(name, array)
    check_names([*columns])
    return Table(tuple(columns), _rows([*columns.values()]), "row", is_typed=True)


def _split(name: str, array: Any) -> Mapping[str, Any]:
    return {f"{name}_{number}": array[:, number] for number in range(array.shape[1])}


def _load(body: bytes) -> Mapping[str, Any]:
    """The arrays by name. What their headers tell is checked before any of them takes memory."""
    from numpy.lib import format as npy

    with (
        guarded("it is no npz that can be read without pickle"),
        zipfile.ZipFile(io.BytesIO(body)) as archive,
    ):
        entries = archive.infolist()
        members = {normal(one.filename.removesuffix(".npy")): one for one in entries}
        if len(members) < len(entries):
            raise InvalidData("it has two arrays with one name")
        if (size := sum(one.file_size for one in members.values())) > MOST_UNPACKED:
            raise InvalidData(
                f"it has {in_words(size)} when it is unpacked, more than {in_words(MOST_UNPACKED)}"
            )
        lengths: dict[str, int] = {}
        width = 0
        for name, one in members.items():
            with archive.open(one) as file:
                shape, kind = _header(name, file)
            lengths[name] = shape[0]
            width += math.prod(shape[1:])
            if width > MOST_COLUMNS:
                raise InvalidData(
                    f"it has more than {MOST_COLUMNS:,} columns, with its array {escaped(name)}"
                )
            check_rows(shape[0])
            if math.prod(shape) * kind.itemsize > one.file_size:
                raise InvalidData(f"its array {escaped(name)} is cut short")
        if len({*lengths.values()}) > 1:
            told = ", ".join(f"{escaped(name)} {count:,}" for name, count in [*lengths.items()][:5])
            raise InvalidData(f"its arrays have different lengths: {told}")
        found = {}
        for name, one in members.items():
            with archive.open(one) as file:
                found[name] = npy.read_array(file, allow_pickle=False)
        return found


def _header(name: str, file: Any) -> tuple[tuple[int, ...], Any]:
    """The shape and type of an array. Raises InvalidData if it is no column, and what numpy raises."""
    from numpy.lib import format as npy

    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, kind = read(file)
    if kind.hasobject:
        raise InvalidData(f"its array {escaped(name)} has objects, which cannot be read without pickle")
    if kind.kind not in "biufU":
        raise InvalidData(f"its array {escaped(name)} is of {kind}, and must have numbers or text")
    if len(shape) not in (1, 2) or min(shape) < 0:
        raise InvalidData(f"its array {escaped(name)} has the shape {[*shape]}, not [N] or [N, C]")
    return shape, kind


def _rows(columns: list[Any]) -> Iterator[Row]:
    width = sum(column.itemsize for column in columns)
    at_once = max(1, min(rows_at_once(len(columns)), _AT_ONCE // max(1, width)))
    number = 0
    for start in range(0, len(columns[0]), at_once):
        parts = (_cells(column[start : start + at_once]) for column in columns)
        for cells in zip(*parts, strict=True):
            number += 1
            yield number, list(cells)


def _cells(part: Any) -> list[Any]:
    """Python has no number that is longer than 8 bytes."""
    is_long = part.dtype.kind == "f" and part.itemsize > 8
    cells: list[Any] = (part.astype("f8") if is_long else part).tolist()
    return cells
