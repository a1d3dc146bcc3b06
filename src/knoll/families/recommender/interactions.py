"""Rows of tables as interactions: who took what, and when."""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from knoll.data_layout import listed
from knoll.errors import InvalidData
from knoll.families.base import BadRows, Files
from knoll.families.recommender.declaration import RecommenderConfig
from knoll.families.table_files import BadRowError, RowFaults, each_table, sum_faults, table_keys
from knoll.quantities import in_words
from knoll.quoting import escaped, shown
from knoll.tables import MOST_ROWS, CellValue, Table, category_of, is_missing, moment_of, number_of

__all__ = ["Interactions", "read_interactions"]

_TIME = "time"  # the name of a column that needs no config
_ROW = 100  # bytes of memory for an interaction
_Names = dict[str, int]


@dataclass
class Interactions:
    """Rows in the order of files: numbers of users and items, whose names are the keys of `users` and
    `items`, and when. Without a column of times these are the places of the rows."""

    users: _Names = field(default_factory=dict)
    items: _Names = field(default_factory=dict)
    who: "array[int]" = field(default_factory=lambda: array("q"))
    what: "array[int]" = field(default_factory=lambda: array("q"))
    when: "array[float]" = field(default_factory=lambda: array("d"))
    bad: BadRows = field(default_factory=BadRows)


@dataclass
class _TableRows:
    """The good rows of one table."""

    faults: RowFaults
    rows: list[tuple[str, str, float | None]] = field(default_factory=list)


def read_interactions(files: Files, config: RecommenderConfig) -> Interactions:
    """All good rows. Raises BadFiles that names files which cannot be read or lack columns, and InvalidData
    if there is no table, or no room."""
    keys = table_keys(files)
    if not keys:
        raise InvalidData("there is no table", fix="upload CSV, TSV, JSON Lines, Parquet or npz")
    found: dict[str, _TableRows] = {}
    each_table(files, keys, partial(_read_table, config=config, room=files.room), found.__setitem__)
    made = Interactions(bad=sum_faults((key, found[key].faults) for key in keys))
    for key in keys:
        for user, item, moment in found.pop(key).rows:
            made.when.append(len(made.when) if moment is None else moment)
            made.who.append(made.users.setdefault(user, len(made.users)))
            made.what.append(made.items.setdefault(item, len(made.items)))
    if len(made.who) > MOST_ROWS:
        raise InvalidData(f"the data has more than {MOST_ROWS:,} rows", fix="use fewer rows")
    return made


def _read_table(table: Table, config: RecommenderConfig, room: int) -> _TableRows:
    places = {name: place for place, name in enumerate(table.names)}
    user, item = (
        _find(places, name, field) for field, name in (("user", config.user), ("item", config.item))
    )
    time = _find(places, config.time, "time") if config.time else places.get(_TIME)
    made = _TableRows(RowFaults(table.unit))
    for number, cells in table.rows:
        try:
            if isinstance(cells, str):
                raise BadRowError(cells)
            moment = (
                None if time is None else _moment(cells[time], table.names[time], is_typed=table.is_typed)
            )
            row = _name(cells[user], config.user), _name(cells[item], config.item), moment
        except BadRowError as error:
            made.faults.refuse(number, str(error))
            continue
        made.rows.append(row)
        made.faults.good += 1
        _check_room(len(made.rows), room)
    return made


def _find(places: Mapping[str, int], name: str, field: str) -> int:
    if name not in places:
        raise InvalidData(
            f"it has no column {escaped(name)}: it has {listed([*places])}; set {field} in the config"
        )
    return places[name]


def _name(cell: CellValue, column: str) -> str:
    if is_missing(cell):
        raise BadRowError(f"{escaped(column)} has no value")
    return category_of(cell)


def _moment(cell: CellValue, column: str, *, is_typed: bool) -> float:
    """Seconds since 1970, or the number that the cell is."""
    found = moment_of(cell)
    number = float(found[0]) if found else number_of(cell, is_typed=is_typed)
    if number is None:
        raise BadRowError(f"{escaped(column)} is {shown(cell)}, neither a time nor a number")
    return number


def _check_room(rows: int, room: int) -> None:
    if rows * _ROW > room:
        raise InvalidData(
            f"its rows take more than the {in_words(room)} of memory that there are; raise "
            "spec.training.resources.memory, or use fewer rows"
        )
