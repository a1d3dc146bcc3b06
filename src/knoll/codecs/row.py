"""The codec `row`: an object of values by column, as in {"age": 63, "sex": "F"}.

The options of its tensor are the schema of the data: `columns`, each with `name`, `kind`, `example`, whether
it is `optional`, and the `categories` of a category; `ignored`, columns of the data that were not learnt; and
`missing`, texts that stand for nothing. A column is two numbers, so the tensor is float32 (C, 2):

    cell                 numbers
    a number             itself, 1
    a known category     its place in `categories`, from 1 on, and 1
    another category     0, 1
    nothing              0, 0
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from knoll.codecs.arrays import Array, Warn
from knoll.codecs.codec import Codec
from knoll.codecs.known import fault_of_names
from knoll.codecs.reading import Reading
from knoll.data_files import normal
from knoll.errors import InvalidInstance
from knoll.quoting import escaped, shown, some_of
from knoll.records.signature import Tensor
from knoll.tables import category_of, is_missing, number_of

__all__ = ["ROW"]

_Column = Mapping[str, Any]
_WANTED = {
    "number": "a finite number, without quotes",
    "boolean": "true or false",
    "category": "text, or the number that stands for a category",
}


def _decode(value: Any, tensor: Tensor, reading: Reading) -> Array:
    """float32 (C, 2). Raises InvalidInstance that names the column, and what `reading` raises. A category
    that the training has not seen is answered with a warning."""
    if not isinstance(value, dict):
        raise InvalidInstance("a row is an object of values by column", fix=_fix(tensor))
    columns = [(normal(one["name"]), one) for one in tensor.columns]
    sent = {normal(name): cell for name, cell in value.items()}
    if len(sent) < len(value):
        raise InvalidInstance("it has two columns whose names are one in NFC", fix=_fix(tensor))
    read = sent.keys() - {*map(normal, tensor.options.get("ignored", ()))}
    if fault := fault_of_names(read, {name for name, _ in columns}, "column"):
        raise InvalidInstance(fault, fix=_fix(tensor))
    more = tensor.options.get("missing", ())
    cells = [_encode(sent.get(name), one, more, reading) for name, one in columns]
    return np.array(cells, np.float32).reshape(len(columns), 2)


def _example(tensor: Tensor) -> dict[str, Any]:
    """A row that is answered without a warning."""
    return {one["name"]: one["example"] for one in tensor.columns}


def _encode(cell: Any, column: _Column, more: Collection[str], reading: Reading) -> tuple[float, float]:
    if is_missing(cell, more):
        if column["optional"]:
            return 0.0, 0.0
        raise InvalidInstance(_no_value(column))
    if column["kind"] == "number":
        number = number_of(cell, is_typed=True) if isinstance(cell, int | float | str) else None
        if number is None:
            raise _wrong(cell, column)
        return number, 1.0
    if not isinstance(cell, str | int | float) or isinstance(cell, bool) != (column["kind"] == "boolean"):
        raise _wrong(cell, column)
    return _place(category_of(cell), column, reading), 1.0


def _fitted(batch: Array, tensor: Tensor, warn: Warn) -> Array:
    """Cells (B, C, 2) as `decode` could have made them. Raises InvalidInstance that names the first other
    one. Unknown categories are answered with a warning."""
    columns, values, marks = tensor.columns, batch[..., 0], batch[..., 1]
    is_place = np.array([one["kind"] != "number" for one in columns], bool)
    most = np.array([len(one.get("categories", ())) for one in columns])
    is_optional = np.array([one["optional"] for one in columns], bool)
    for is_wrong, told in (
        ((marks != 0) & (marks != 1), _wrong_mark),
        ((marks == 0) & ~is_optional, _no_value),
        ((marks == 0) & (values != 0), _wrong_mark),
        (is_place & ((values < 0) | (values > most) | (values != np.floor(values))), _no_place),
    ):
        if is_wrong.any():
            row, index = np.argwhere(is_wrong)[0]
            raise InvalidInstance(f"instance {row}: {told(columns[index], *batch[row, index].tolist())}")
    is_unknown = (is_place & (marks == 1) & (values == 0)).any(axis=0)
    if names := [one["name"] for one, is_one in zip(columns, is_unknown, strict=True) if is_one]:
        warn(f"category 0 was taken as a value that was not in the training data: column {some_of(names)}")
    return batch


def _no_value(column: _Column, *_: float) -> str:
    return f"column {escaped(column['name'])} has no value, and had one in all training data"


def _wrong_mark(column: _Column, value: float, mark: float) -> str:
    told = f"column {escaped(column['name'])} is [{value:g}, {mark:g}]"
    return f"{told}; a value is followed by 1, and no value is [0, 0]"


def _no_place(column: _Column, value: float, _: float) -> str:
    told = f"column {escaped(column['name'])} has the category {value:g}"
    return f"{told}; its {len(column['categories'])} known ones count from 1, and 0 is any other"


def _place(text: str, column: _Column, reading: Reading) -> float:
    """From 1 on; 0 if the training has not seen it."""
    known: Sequence[str] = column["categories"]
    if text not in known:
        known = [category_of(one) for one in known]  # an older version has numbers as they were written
    if text in known:
        return known.index(text) + 1.0
    told = f"column {escaped(column['name'])} has the value {shown(text)}, which was not in the training data"
    reading.warn(f"{told}, and was taken as an unknown one")
    return 0.0


def _wrong(cell: Any, column: _Column) -> InvalidInstance:
    wanted = _WANTED[column["kind"]]
    return InvalidInstance(
        f"column {escaped(column['name'])} is {shown(cell)}, and must be {wanted}",
        fix=f"send such as {shown(column['example'])}",
    )


def _fix(tensor: Tensor) -> str:
    """The columns that a row has."""
    names = [one["name"] for one in tensor.columns]
    return f"send values for {some_of(names)}"


ROW = Codec("row", decode=_decode, example=_example, fitted=_fitted)
