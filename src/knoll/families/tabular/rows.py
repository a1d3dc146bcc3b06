"""Rows of tables as arrays, in the form that `knoll.codecs.row` has at predict."""

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from knoll.errors import InvalidData
from knoll.families.base import BadRows, Files
from knoll.families.table_files import BadRowError, RowFaults, each_table, sum_faults
from knoll.families.tabular.plan import Plan, Role
from knoll.families.tabular.statistics import Floats
from knoll.quantities import in_words
from knoll.quoting import escaped, shown
from knoll.tables import CellValue, Table, category_of, is_missing, number_of

__all__ = ["Rows", "read_rows"]

_AT_ONCE = 4096  # rows that are lists of Python
_KEY = 120  # bytes of memory for the key of a row


@dataclass
class Rows:
    """`cells` are float32 (N, C, 2) as the codec `row` makes them, `targets` float64 (N,): numbers, or those
    of classes. `parts` (N, S) are the numbers of the values in the columns that slice, from 1 on; 0 is none.
    Without such columns it has no rows. `keys` say which rows stay together."""

    cells: Floats
    targets: NDArray[np.float64]
    parts: NDArray[np.int64]
    keys: list[str]
    bad: BadRows


@dataclass
class _FileRows:
    """The good rows of one file, and what is wrong with the others."""

    faults: RowFaults
    cells: list[Floats] = field(default_factory=list)
    targets: "array[float]" = field(default_factory=lambda: array("d"))
    parts: list[list[int]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


def read_rows(files: Files, keys: Sequence[str], plan: Plan, count: int) -> Rows:
    """The good rows of these files, in their order, and what is wrong with the others. There are no more than
    `count` rows. Raises BadFiles that names files which cannot be read, and InvalidData without room."""
    _check_room(files, plan, count)
    found: dict[str, _FileRows] = {}
    each_table(files, keys, partial(_read_file, plan=plan), found.__setitem__)
    ordered = [(key, found[key]) for key in keys]
    cells = [one for _, file in ordered for one in file.cells]
    empty = np.zeros((0, len(plan.inputs), 2), np.float32)
    parts = [one for _, file in ordered for one in file.parts]
    return Rows(
        np.concatenate([empty, *cells]),
        np.concatenate([np.array(file.targets, np.float64) for _, file in ordered]),
        np.array(parts, np.int64).reshape(len(parts), len(plan.slices)),
        [one for _, file in ordered for one in file.keys],
        sum_faults((key, file.faults) for key, file in ordered),
    )


def _check_room(files: Files, plan: Plan, count: int) -> None:
    """A row is there twice when the rows are split."""
    size = 2 * count * (8 * len(plan.inputs) + 8 * len(plan.slices) + 8) + count * _KEY
    if size > files.room:
        raise InvalidData(
            f"its {count:,} rows of {len(plan.inputs)} columns take {in_words(size)} of memory, and there is "
            f"room for {in_words(files.room)}",
            fix="raise spec.training.resources.memory, or leave out columns or rows",
        )


def _read_file(table: Table, plan: Plan) -> _FileRows:
    made, chunk = _FileRows(RowFaults(table.unit)), list[list[tuple[float, float]]]()
    reader = _RowReader(table, plan)
    for number, cells in table.rows:
        try:
            if isinstance(cells, str):
                raise BadRowError(cells)
            row, target = reader.inputs(cells), reader.target(cells)
        except BadRowError as error:
            made.faults.refuse(number, str(error))
            continue
        chunk.append(row)
        made.targets.append(target)
        if plan.slices:
            made.parts.append(reader.parts(cells))
        made.keys.append(reader.key(cells, row, target))
        made.faults.good += 1
        if len(chunk) == _AT_ONCE:
            made.cells.append(np.array(chunk, np.float32))
            chunk.clear()
    if chunk:
        made.cells.append(np.array(chunk, np.float32).reshape(len(chunk), len(plan.inputs), 2))
    return made


class _RowReader:
    """Reads the rows of one table: where each column is there, and what its cells mean."""

    def __init__(self, table: Table, plan: Plan) -> None:
        places = {name: place for place, name in enumerate(table.names)}
        self._is_typed, self._missing, self._plan = table.is_typed, plan.missing, plan
        self._inputs = [(places.get(one.name), one) for one in plan.inputs]
        self._slices = [(places.get(one.name), one) for one in plan.slices]
        self._target = places.get(plan.target.name)
        self._group = places.get(plan.group_by) if plan.group_by else None

    def inputs(self, cells: Sequence[CellValue]) -> list[tuple[float, float]]:
        """Raises BadRowError, as the others."""
        row = []
        for place, role in self._inputs:
            cell = None if place is None else cells[place]
            row.append((0.0, 0.0) if is_missing(cell, self._missing) else (self._value(cell, role), 1.0))
        return row

    def target(self, cells: Sequence[CellValue]) -> float:
        """A number, or the number of a class from 0 on."""
        role = self._plan.target
        cell = None if self._target is None else cells[self._target]
        if is_missing(cell, self._missing):
            raise BadRowError(f"the target {escaped(role.name)} has no value")
        if role.places is None:
            return self._value(cell, role)
        if (place := role.places.get(category_of(cell))) is None:
            raise BadRowError(f"{escaped(role.name)} is {shown(cell)}, which is no class")
        return place

    def parts(self, cells: Sequence[CellValue]) -> list[int]:
        """For each column that slices, the number of its value, from 1 on."""
        return [
            0 if place is None or role.places is None else role.places.get(category_of(cells[place]), -1) + 1
            for place, role in self._slices
        ]

    def key(self, cells: Sequence[CellValue], row: Sequence[tuple[float, float]], target: float) -> str:
        """Equal rows have the same key; with groups, rows of the same group."""
        if self._group is not None and not is_missing(cells[self._group], self._missing):
            told = f"group {category_of(cells[self._group])}"
        else:
            texts = (
                repr(value) if role.places is None else category_of(cells[place])
                for (place, role), (value, known) in zip(self._inputs, row, strict=True)
                if place is not None and known
            )
            told = "\x1f".join((*texts, repr(target)))
        return hashlib.sha256(told.encode(errors="surrogatepass")).hexdigest()[:16]

    def _value(self, cell: CellValue, role: Role) -> float:
        """A number, or that of a category from 1 on; 0 is one that is not among those of the data."""
        if role.places is not None:
            place = role.places.get(category_of(cell))
            if place is None and role.kind == "boolean":
                raise BadRowError(f"{escaped(role.name)} is {shown(cell)}, neither true nor false")
            return 0.0 if place is None else place + 1.0
        number = number_of(cell, is_typed=self._is_typed)
        if number is None:
            raise BadRowError(f"{escaped(role.name)} is {shown(cell)}, no number")
        return number
