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

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from knoll.codecs.arrays import Array
from knoll.codecs.codec import Codec
from knoll.codecs.reading import Reading
from knoll.errors import InvalidInstance
from knoll.quoting import did_you_mean, escaped, shown, some_of
from knoll.records.signature import Tensor
from knoll.tables import category_of, is_missing, number_of

__all__ = ["ROW"]

_Column = Mapping[str, Any]
_LONGEST = 200  # characters of a name that is compared with others
_WANTED = {
    "number": "a finite number, without quotes",
    "boolean": "true or false",
    "category": "text, or the number that stands for a category",
}


def _decode(value: Any, tensor: Tensor, reading: Reading) -> Array:
    """float32 (C, 2). Raises InvalidInstance that names the column, and what `reading` raises. A category
    that the training has not seen is answered with a warning."""
    columns = tensor.columns
    if not isinstance(value, dict):
        raise InvalidInstance("a row is an object of values by column", fix=_fix(tensor))
    known = {one["name"] for one in columns}
    for name in sorted(value.keys() - known - {*tensor.options.get("ignored", ())}):
        like = did_you_mean(name[:_LONGEST], known)
        raise InvalidInstance(f"it has the column {shown(name)}, which is unknown{like}", fix=_fix(tensor))
    more = tensor.options.get("missing", ())
    cells = [_encode(value.get(one["name"]), one, more, reading) for one in columns]
    return np.array(cells, np.float32).reshape(len(columns), 2)


def _example(tensor: Tensor) -> dict[str, Any]:
    """A row that is answered without a warning."""
    return {one["name"]: one["example"] for one in tensor.columns}


def _encode(cell: Any, column: _Column, more: Collection[str], reading: Reading) -> tuple[float, float]:
    if is_missing(cell, more):
        if column["optional"]:
            return 0.0, 0.0
        raise InvalidInstance(
            f"column {escaped(column['name'])} has no value, and had one in all training data"
        )
    if column["kind"] == "number":
        number = number_of(cell, is_typed=True) if isinstance(cell, int | float | str) else None
        if number is None:
            raise _wrong(cell, column)
        return number, 1.0
    if not isinstance(cell, str | int | float) or isinstance(cell, bool) != (column["kind"] == "boolean"):
        raise _wrong(cell, column)
    return _place(category_of(cell), column, reading), 1.0


def _place(text: str, column: _Column, reading: Reading) -> float:
    """From 1 on; 0 if the training has not seen it."""
    if text in column["categories"]:
        return float(column["categories"].index(text) + 1)
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


ROW = Codec("row", decode=_decode, example=_example)
