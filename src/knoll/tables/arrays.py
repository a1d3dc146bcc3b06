"""npz, the archive of numpy: each array of it is a column, or as many columns as it has."""

import io
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

from knoll.errors import InvalidData
from knoll.quantities import in_words
from knoll.quoting import escaped
from knoll.tables.limits import MOST_COLUMNS, MOST_UNPACKED
from knoll.tables.table import Row, Table, check_names

__all__ = ["read_arrays"]


def read_arrays(body: bytes) -> Table:
    """The table of a file. An array (N,) is a column of its name; (N, C) are the columns `name_0` and so on.
    Arrays of objects are refused: to read one may run code. Raises InvalidData in words that begin with
    "it"."""
    columns: dict[str, Any] = {}
    for name, array in _load(body).items():
        if array.dtype.kind not in "biufU":
            raise InvalidData(f"its array {escaped(name)} is of {array.dtype}, and must have numbers or text")
        if array.ndim not in (1, 2):
            raise InvalidData(
                f"its array {escaped(name)} has the shape {list(array.shape)}, not [N] or [N, C]"
            )
        if array.ndim == 2 and array.shape[1] > MOST_COLUMNS:
            raise InvalidData(
                f"its array {escaped(name)} has {array.shape[1]:,} columns, more than {MOST_COLUMNS:,}"
            )
        columns |= {name: array} if array.ndim == 1 else _split(name, array)
    check_names([*columns])
    if len({len(one) for one in columns.values()}) > 1:
        lengths = ", ".join(f"{escaped(name)} {len(one):,}" for name, one in [*columns.items()][:5])
        raise InvalidData(f"its arrays have different lengths: {lengths}")
    return Table(tuple(columns), _rows([*columns.values()]), "row", is_typed=True)


def _split(name: str, array: Any) -> Mapping[str, Any]:
    return {f"{name}_{number}": array[:, number] for number in range(array.shape[1])}


def _load(body: bytes) -> Mapping[str, Any]:
    try:
        import numpy as np
    except ImportError as error:
        raise InvalidData("it is npz, which takes numpy to read: pip install numpy, or write CSV") from error
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            size = sum(one.file_size for one in archive.infolist())
        if size > MOST_UNPACKED:
            raise InvalidData(
                f"it has {in_words(size)} when it is unpacked, more than {in_words(MOST_UNPACKED)}"
            )
        with np.load(io.BytesIO(body), allow_pickle=False) as found:
            return {name: found[name] for name in found.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise InvalidData(
            f"it is no npz that can be read without pickle: {escaped(str(error)[:200])}"
        ) from error


def _rows(columns: list[Any]) -> Iterator[Row]:
    lists = (column.tolist() for column in columns)
    for number, cells in enumerate(zip(*lists, strict=True), 1):
        yield number, list(cells)
