"""Series on one grid of steps, as the network sees them: `knoll.codecs.series` has the rows.

One rule finds the grid in the times of all rows: the step is the distance that neighbouring times have most
often, and steps begin where most times are. What is missing between the first and the last time is a gap.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knoll.codecs.series import calendar_of, moment_text
from knoll.errors import InvalidData
from knoll.families.base import BadRows
from knoll.families.table_files import MOST_BAD_NAMED, sum_faults
from knoll.families.traffic.plan import SeriesPlan
from knoll.families.traffic.rows import FileRows
from knoll.quantities import in_words
from knoll.quoting import escaped

__all__ = ["Grid", "Panel", "find_grid", "make_panel"]

_DAY = 86_400
_CELL = 24  # bytes of memory for a value of the grid, while it is made
_Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Grid:
    """Steps of so many seconds, which begin at `offset` in 1970; and whether times have a zone."""

    step: int
    offset: int
    is_zoned: bool

    def text(self, seconds: int) -> str:
        """A time in words."""
        return moment_text(seconds, is_zoned=self.is_zoned)


@dataclass(frozen=True)
class Panel:
    """The series from the time `first` on, in seconds since 1970: `rows` are float32 (S + 2 + E, T, 2) as the
    codec `series` has them."""

    grid: Grid
    first: int
    rows: NDArray[np.float32]
    bad: BadRows

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return int(self.rows.shape[1])


class _Faults:
    """Bad rows of all files by their number, from 0 on. `starts` has that of the first row of each file, and
    last how many rows there are."""

    def __init__(self, files: Sequence[tuple[str, FileRows]]) -> None:
        self._files = files
        self.starts = np.cumsum([0, *(len(file.times) for _, file in files)])
        self._why: dict[int, str] = {}
        self.is_bad = np.zeros(int(self.starts[-1]), bool)

    def add(self, is_bad: NDArray[np.bool_], why: "Mapping[int, str] | str") -> None:
        """Some rows are bad; those that were bad before stay so for the old reason."""
        new = np.flatnonzero(is_bad & ~self.is_bad)
        self.is_bad |= is_bad
        self._why |= {
            int(row): why if isinstance(why, str) else why[int(row)] for row in new[:MOST_BAD_NAMED]
        }

    def place(self, row: int) -> str:
        """The file and line of a row."""
        key, file = self._files[number := int(np.searchsorted(self.starts, row, side="right")) - 1]
        return f"{key}, {file.faults.unit} {file.lines[row - int(self.starts[number])]}"

    def told(self) -> BadRows:
        """All bad rows, also those that were read as such."""
        unread = sum_faults((key, file.faults) for key, file in self._files)
        named = {**unread.named, **{self.place(row): why for row, why in sorted(self._why.items())}}
        bad = int(self.is_bad.sum())
        return BadRows(len(self.is_bad) - bad, unread.bad + bad, dict([*named.items()][:MOST_BAD_NAMED]))


def find_grid(times: _Ints, zoned: NDArray[np.bool_]) -> Grid:
    """The grid on which most of these times lie. Raises InvalidData if there is none, or if a day has no
    whole number of steps."""
    is_zoned = bool(2 * zoned.sum() > len(zoned))
    found = np.unique(times[zoned == is_zoned])
    if len(found) < 2:
        raise InvalidData(
            "fewer than two rows have different times", fix="add rows: a series goes on in time"
        )
    apart, counts = np.unique(np.diff(found), return_counts=True)
    step = int(apart[counts.argmax()])
    if step > _DAY or _DAY % step:
        raise InvalidData(
            f"its times are most often {step:,} seconds apart, and a day has no whole number of such steps",
            fix="write steps such as 15 minutes, hours or days",
        )
    offsets, counts = np.unique(found % step, return_counts=True)
    return Grid(step, int(offsets[counts.argmax()]), is_zoned)


def make_panel(
    files: Sequence[tuple[str, FileRows]], plan: SeriesPlan, room: int, wanted: Grid | None = None
) -> Panel:
    """The series of these files, on the grid that is wanted, or on that of their times. Raises InvalidData if
    they have no grid, or do not fit into memory."""
    times, zoned, events = (
        np.concatenate([np.asarray(getattr(file, name), kind) for _, file in files])
        for name, kind in (("times", np.int64), ("zoned", np.bool_), ("events", np.uint64))
    )
    grid, faults = wanted or find_grid(times, zoned), _Faults(files)
    mine, most = ("no zone", "one") if grid.is_zoned else ("a zone", "none")
    faults.add(zoned != grid.is_zoned, f"its time has {mine}, and those of most rows have {most}")
    off = (times - grid.offset) % grid.step != 0
    faults.add(off, f"its time lies between the steps of {grid.step:,} seconds")
    if faults.is_bad.all():
        raise InvalidData("no row lies on the grid of times", fix="write times like those of the data")
    first, count = _extent(times[~faults.is_bad], grid, len(plan.names), room)
    values = _values(files, (times - first) // grid.step, count, plan.names, faults)
    rows = np.zeros((len(plan.names) + 2 + len(plan.events), count, 2), np.float32)
    rows[: len(values), :, 0], rows[: len(values), :, 1] = np.nan_to_num(values), ~np.isnan(values)
    rows[len(values) : len(values) + 2] = calendar_of(first, grid.step, count)
    places = (times - first)[~faults.is_bad] // grid.step
    for number, row in enumerate(rows[len(values) + 2 :]):
        row[:, 1] = 1
        row[places[(events[~faults.is_bad] >> np.uint64(number)) & np.uint64(1) > 0], 0] = 1
    return Panel(grid, first, rows, faults.told())


def _extent(times: _Ints, grid: Grid, series: int, room: int) -> tuple[int, int]:
    """The first time, and how many steps there are to the last one."""
    first, last = int(times.min()), int(times.max())
    count = (last - first) // grid.step + 1
    if (size := _CELL * series * count) > room:
        raise InvalidData(
            f"its {count:,} steps from {grid.text(first)} to {grid.text(last)} take {in_words(size)} of "
            f"memory, and there is room for {in_words(room)}",
            fix="see whether a time is wrong, raise spec.training.resources.memory, or use fewer series",
        )
    return first, count


def _values(
    files: Sequence[tuple[str, FileRows]], places: _Ints, count: int, names: Sequence[str], faults: _Faults
) -> NDArray[np.float64]:
    """(S, T) with NaN for gaps. A row that tells another value of a series at a time is bad."""
    rows = np.concatenate(
        [np.asarray(file.rows, np.int64) + at for (_, file), at in zip(files, faults.starts, strict=False)]
    )
    series = np.concatenate([np.asarray(file.series, np.int64) for _, file in files])
    values = np.concatenate([np.asarray(file.values) for _, file in files])
    for is_last in (False, True):
        kept = ~faults.is_bad[rows]
        cells = series[kept] * count + places[rows[kept]]
        found, where, which = np.unique(cells, return_index=True, return_inverse=True)
        first = where[which]
        is_other = values[kept] != values[kept][first]
        if is_last or not is_other.any():
            break
        pairs = zip(rows[kept][is_other], rows[kept][first[is_other]], series[kept][is_other], strict=True)
        is_bad = np.zeros_like(faults.is_bad)
        is_bad[rows[kept][is_other]] = True
        faults.add(is_bad, dict(_conflicts(pairs, faults, names)))
    made = np.full(len(names) * count, np.nan)
    made[found] = values[kept][where]
    return made.reshape(len(names), count)


def _conflicts(pairs: Any, faults: _Faults, names: Sequence[str]) -> Iterator[tuple[int, str]]:
    told = set[int]()
    for row, first, series in pairs:
        if row not in told:
            told.add(int(row))
            yield (
                int(row),
                f"{escaped(names[series])} has another value at that time in {faults.place(int(first))}",
            )
