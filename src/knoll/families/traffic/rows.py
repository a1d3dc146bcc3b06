"""Rows of tables as times, values and events, file by file."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from knoll.families.base import Files
from knoll.families.table_files import BadRowError, RowFaults, each_table
from knoll.families.traffic.plan import SeriesPlan
from knoll.quoting import escaped, shown
from knoll.tables import CellValue, Table, category_of, is_missing, moment_of, number_of

__all__ = ["FileRows", "read_rows"]

_OFF = frozenset({"0", "false"})


@dataclass
class FileRows:
    """The good rows of one file: when, whether the time has a zone, the line, and a bit for each event that
    is on. Each value has its row, from 0 on, and its series."""

    faults: RowFaults
    times: "array[int]" = field(default_factory=lambda: array("q"))
    zoned: "array[int]" = field(default_factory=lambda: array("b"))
    lines: "array[int]" = field(default_factory=lambda: array("q"))
    events: "array[int]" = field(default_factory=lambda: array("Q"))
    rows: "array[int]" = field(default_factory=lambda: array("q"))
    series: "array[int]" = field(default_factory=lambda: array("q"))
    values: "array[float]" = field(default_factory=lambda: array("d"))


def read_rows(files: Files, keys: Sequence[str], plan: SeriesPlan) -> list[FileRows]:
    """The rows of these files, in their order. Raises BadFiles that names those which cannot be read."""
    found: dict[str, FileRows] = {}
    each_table(files, keys, partial(_read_file, plan=plan), found.__setitem__)
    return [found[key] for key in keys]


def _read_file(table: Table, plan: SeriesPlan) -> FileRows:
    made, reader = FileRows(RowFaults(table.unit)), _SeriesReader(table, plan)
    for line, cells in table.rows:
        try:
            if isinstance(cells, str):
                raise BadRowError(cells)
            seconds, has_zone = reader.time(cells)
            values, events = reader.values(cells), reader.events(cells)
        except BadRowError as error:
            made.faults.refuse(line, str(error))
            continue
        for series, value in values:
            made.rows.append(len(made.times))
            made.series.append(series)
            made.values.append(value)
        made.times.append(seconds)
        made.zoned.append(has_zone)
        made.lines.append(line)
        made.events.append(events)
    return made


class _SeriesReader:
    """Reads the rows of one table: where each column is, and what its cells mean."""

    def __init__(self, table: Table, plan: SeriesPlan) -> None:
        places = {name: place for place, name in enumerate(table.names)}
        self._is_typed, self._missing = table.is_typed, plan.missing
        self._time, self._name = places.get(plan.time), places.get(plan.name or "")
        self._values = [(places[one], one) for one in plan.values if one in places]
        self._events = [(places[one], bit) for bit, one in enumerate(plan.events) if one in places]
        self._numbers = {name: number for number, name in enumerate(plan.names)}
        self._plan = plan

    def time(self, cells: Sequence[CellValue]) -> tuple[int, bool]:
        """Raises BadRowError, as the others."""
        cell = None if self._time is None else cells[self._time]
        if (found := moment_of(cell)) is None:
            raise BadRowError(
                f"{escaped(self._plan.time)} is {shown(cell)}, no date or time of whole seconds"
            )
        return found

    def values(self, cells: Sequence[CellValue]) -> list[tuple[int, float]]:
        """The number of each series, and its value, without gaps."""
        found = []
        for place, name in self._values:
            cell = cells[place]
            if is_missing(cell, self._missing):
                continue
            value = number_of(cell, is_typed=self._is_typed)
            if value is None:
                raise BadRowError(f"{escaped(name)} is {shown(cell)}, no number")
            found.append((self._number(cells, name), value))
        return found

    def events(self, cells: Sequence[CellValue]) -> int:
        """A bit for each event that is on."""
        found = 0
        for place, bit in self._events:
            cell = cells[place]
            if not is_missing(cell, self._missing) and category_of(cell) not in _OFF:
                found |= 1 << bit
        return found

    def _number(self, cells: Sequence[CellValue], column: str) -> int:
        if self._plan.name is None:
            return self._numbers[column]
        cell = None if self._name is None else cells[self._name]
        if is_missing(cell, self._missing) or (number := self._numbers.get(category_of(cell))) is None:
            raise BadRowError(f"{escaped(self._plan.name)} is {shown(cell)}, no series of the data")
        return number
