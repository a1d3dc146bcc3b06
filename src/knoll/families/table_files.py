"""Tables for families: the files that are tables, what is made of each, and what their columns hold."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import TypeVar

from knoll.data_files import why_skipped
from knoll.data_kinds import is_table, no_table
from knoll.errors import BadFiles, InvalidData
from knoll.families.base import BadRows, Files
from knoll.quantities import in_words
from knoll.tables import MOST_ROWS, Table, TableCounts, TableShape, count_table, odd_tables, read_table

__all__ = [
    "MOST_BAD_NAMED",
    "BadRowError",
    "RowFaults",
    "count_tables",
    "each_table",
    "sum_faults",
    "table_keys",
]

_Made = TypeVar("_Made")
MOST_BAD_NAMED = 50  # bad rows of a file, and of all


class BadRowError(Exception):
    """Why a row is bad."""


@dataclass
class RowFaults:
    """The bad rows of a table, beside `good` ones. `named` are the first ones, by their number; `unit` says
    what the numbers count."""

    unit: str = "line"
    good: int = 0
    bad: int = 0
    named: dict[int, str] = field(default_factory=dict)

    def refuse(self, number: int, why: str) -> None:
        """Note a bad row."""
        self.bad += 1
        if len(self.named) < MOST_BAD_NAMED:
            self.named[number] = why


def sum_faults(files: Iterable[tuple[str, RowFaults]]) -> BadRows:
    """The bad rows of all tables, by key."""
    good, bad, named = 0, 0, dict[str, str]()
    for key, one in files:
        good, bad = good + one.good, bad + one.bad
        named |= {f"{key}, {one.unit} {number}": why for number, why in one.named.items()}
    return BadRows(good, bad, dict([*named.items()][:MOST_BAD_NAMED]))


def table_keys(keys: Iterable[str]) -> list[str]:
    """The tables among the keys, sorted. What `why_skipped` knows is left out. Raises BadFiles that names
    files of other kinds."""
    visible = sorted(key for key in keys if why_skipped(key) is None)
    if others := [key for key in visible if not is_table(key)]:
        raise BadFiles({key: no_table(key) for key in others})
    return visible


def each_table(
    files: Files, keys: Sequence[str], look: Callable[[Table], _Made], use: Callable[[str, _Made], object]
) -> None:
    """Call `use` with each key and what `look` makes of its table, in no order. A file is in memory alone.
    Raises BadFiles that names those which cannot be read, or of which `look` raises Rejected."""
    faults: dict[str, str] = {}
    for ending in sorted({_ending(key) for key in keys}):
        some = [key for key in keys if _ending(key) == ending]
        faults |= files.each(some, partial(_look, ending, look), partial(_use, some, use))
    if faults:
        raise BadFiles(faults)


def count_tables(files: Files, keys: Sequence[str], missing: Collection[str] = ()) -> TableCounts:
    """What the columns of all tables hold; `missing` are further texts that stand for nothing. Raises
    BadFiles that names tables with other columns than most, and InvalidData if all are too much."""
    counted = _Tally(files.room, frozenset(missing))
    each_table(files, keys, counted.look, counted.use)
    if odd := odd_tables(counted.shapes):
        raise BadFiles(odd)
    if not keys:
        raise InvalidData("there is no table", fix="upload CSV, TSV, JSON Lines, Parquet or npz")
    columns = counted.total.columns
    names = dict.fromkeys(name for key in keys for name in counted.shapes[key].names)
    return TableCounts({name: columns[name] for name in names}, counted.total.rows)


@dataclass
class _Tally:
    """The counts of the tables that were read. Those of each table go into the `total` at once: so many are
    in memory as there are threads."""

    room: int
    missing: Collection[str]
    total: TableCounts = field(default_factory=lambda: TableCounts({}))
    shapes: dict[str, TableShape] = field(default_factory=dict)
    _names: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)  # one text for many tables
    _lock: Lock = field(default_factory=Lock)

    def look(self, table: Table) -> TableShape:
        """Count a table. Threads may call it."""
        found = count_table(table, self.missing)
        with self._lock:
            self.total.join(found)
            names = self._names.setdefault(table.names, table.names)
        return TableShape(names, found.rows, found.is_open)

    def use(self, key: str, shape: TableShape) -> None:
        """Keep the shape of a table. Raises InvalidData if the tables are too much together."""
        self.shapes[key] = shape
        rows, size = self.total.rows, self.total.size
        if rows > MOST_ROWS:
            raise InvalidData(f"the data has more than {MOST_ROWS:,} rows", fix="use fewer rows")
        if size > self.room:
            raise InvalidData(
                f"the different values of its columns take {in_words(size)} of memory, and there is room for "
                f"{in_words(self.room)}",
                fix="raise spec.training.resources.memory, or remove columns",
            )


def _ending(key: str) -> str:
    return key.rpartition(".")[2].lower()


def _look(ending: str, look: Callable[[Table], _Made], body: bytes) -> _Made:
    return look(read_table(f".{ending}", body))


def _use(keys: Sequence[str], use: Callable[[str, _Made], object], number: int, made: _Made) -> None:
    use(keys[number], made)
