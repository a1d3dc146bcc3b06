"""What each column of the data is for: the time, the name of the series, values, events, or nothing.

In the wide form each column of numbers is a series. In the long form a row has the name of its series and one
value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from knoll.data_layout import listed
from knoll.errors import InvalidData
from knoll.families.traffic.declaration import TrafficConfig, TrafficDeclaration
from knoll.quoting import escaped
from knoll.tables import Column, unknown_columns

__all__ = ["SeriesPlan", "make_plan"]

_TIME = "date or time"
_SEE = "see spec.training.config in docs/families/traffic-forecast.md"


@dataclass(frozen=True)
class SeriesPlan:
    """The columns that are read. `names` are the series; without `name`, the column of names, they are those
    of the columns of values. `missing` are texts that stand for nothing."""

    time: str
    name: str | None
    values: tuple[str, ...]
    names: tuple[str, ...]
    events: tuple[str, ...]
    missing: frozenset[str]


def make_plan(schema: Sequence[Column], config: TrafficConfig) -> SeriesPlan:
    """Raises InvalidData that names all columns that cannot be used, and what to do."""
    known = {one.name: one for one in schema}
    if unknown := unknown_columns(known, TrafficDeclaration().columns(config)):
        raise InvalidData("; ".join(unknown), fix=f"the data has the columns {listed([*known])}")
    left = {one.name: one for one in schema if one.name not in {*config.events, *config.leave_out}}
    time = _time_of(left, config)
    del left[time.name]
    numbers = [left[one] for one in config.values if one in left] or [
        one for one in left.values() if one.kind == "number" and one.name != config.series
    ]
    name = _name_of(left, numbers, config)
    others = [one for one in left.values() if one not in numbers and one != name and one.kind != "empty"]
    faults = _faults(numbers, name, [] if config.values else others)
    if faults:
        raise InvalidData("; ".join(faults), fix=_SEE)
    values = tuple(one.name for one in numbers)
    names = tuple(sorted(name.values)) if name else values
    column = name.name if name else None
    return SeriesPlan(time.name, column, values, names, config.events, frozenset(config.missing))


def _time_of(known: Mapping[str, Column], config: TrafficConfig) -> Column:
    if config.time:
        if config.time not in known or known[config.time].kind != _TIME:
            raise InvalidData(
                f"the column {escaped(config.time)} has no times", fix="write such as 2026-01-31T10:00"
            )
        return known[config.time]
    found = [one for one in known.values() if one.kind == _TIME]
    if len(found) != 1:
        told = (
            f"the columns {listed([one.name for one in found])} have times"
            if found
            else "no column has times"
        )
        raise InvalidData(told, fix="name the right one in time; a time is such as 2026-01-31T10:00")
    return found[0]


def _name_of(known: Mapping[str, Column], numbers: Sequence[Column], config: TrafficConfig) -> Column | None:
    """The column that names the series; None in the wide form."""
    if config.series:
        return known.get(config.series)
    texts = [one for one in known.values() if one.kind == "category" and one not in numbers]
    return texts[0] if len(texts) == 1 and len(numbers) == 1 else None


def _faults(numbers: Sequence[Column], name: Column | None, others: Sequence[Column]) -> list[str]:
    found = [
        f"{escaped(one.name)} is {one.kind}, and a series has numbers{': ' + one.fault if one.fault else ''}"
        for one in numbers
        if one.kind != "number"
    ]
    found += [
        one.fault or f"{escaped(one.name)} is a {one.kind}: name it in series, events or leaveOut"
        for one in others
    ]
    if not numbers:
        found.append("no column has numbers to learn")
    if name and len(numbers) > 1:
        columns = listed([one.name for one in numbers])
        found.append(f"{escaped(name.name)} names the series, and there is more than one value: {columns}")
    if name and not name.values:
        found.append(f"{escaped(name.name)} has no names, or more than 1,000: these are too many series")
    return found
