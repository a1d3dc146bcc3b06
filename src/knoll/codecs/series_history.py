"""The values of series as callers send them: lists of numbers, with null for a gap."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from knoll.codecs.arrays import Array
from knoll.codecs.known import fault_of_names
from knoll.codecs.reading import Reading
from knoll.errors import InvalidInstance
from knoll.quoting import escaped, shown, some_of

__all__ = ["read_history"]

_NUMBERS = {int, float, type(None)}
_LARGEST = float(np.finfo(np.float32).max)


def read_history(
    value: Any, names: Sequence[str], past: int, reading: Reading, *, is_even: bool
) -> tuple[Array, int]:
    """float32 (S, past, 2), with the newest values last, and how many values the longest list had. If it
    `is_even`, all lists must be of one length. Raises InvalidInstance that names the series, and what
    `reading` raises."""
    lists = _by_name(value, names)
    lengths = {len(one) for one in lists.values()}
    if is_even and len(lengths) > 1:
        raise InvalidInstance(
            f"the histories have {min(lengths):,} to {max(lengths):,} values, so that not all begin at start",
            fix="send time, that of the last value of each, in place of start",
        )
    made = np.zeros((len(names), past, 2), np.float32)
    for name, values in lists.items():
        reading.check()
        found = _numbers(values, name)[-past:]
        row = made[names.index(name), past - len(found) :]
        row[:, 0], row[:, 1] = np.nan_to_num(found), ~np.isnan(found)
    if not made[..., 1].any():
        raise InvalidInstance("no series has a value", fix="send at least one number of one series")
    _tell(lists, names, past, reading)
    return made, max(lengths)


def _by_name(value: Any, names: Sequence[str]) -> Mapping[str, Sequence[Any]]:
    """The list of each series that is sent, of at least one value."""
    right = f"the series are {some_of(names)}"
    if isinstance(value, list) and len(names) == 1:
        value = {names[0]: value}
    if isinstance(value, list):
        raise InvalidInstance("history is one list, and there are several series: name each", fix=right)
    if not isinstance(value, dict) or not value:
        raise InvalidInstance("history is no object of lists by series", fix=right)
    if fault := fault_of_names(value, names, "series"):
        raise InvalidInstance(fault, fix=right)
    for name, values in value.items():
        if not isinstance(values, list) or not values:
            told = "empty" if values == [] else shown(values)
            raise InvalidInstance(
                f"the history of {escaped(name)} is {told}, and must be a list with a number or null at least"
            )
    return value


def _numbers(values: Sequence[Any], name: str) -> Array:
    """float64 (N,) with NaN for gaps."""
    if not {*map(type, values)} <= _NUMBERS:
        place = next(place for place, one in enumerate(values) if type(one) not in _NUMBERS)
        raise _wrong(values, place, name)
    try:
        found = np.array(values, np.float64)
    except OverflowError:
        found = np.array(
            [None if one is None else max(-1e300, min(one, 1e300)) for one in values], np.float64
        )
    is_gap = np.array([one is None for one in values])
    if (wild := ~is_gap & ~(np.abs(found) <= _LARGEST)).any():
        raise _wrong(values, int(wild.argmax()), name)
    return found


def _wrong(values: Sequence[Any], place: int, name: str) -> InvalidInstance:
    return InvalidInstance(
        f"value {place} of {escaped(name)} is {shown(values[place])}, and must be a finite number or null, "
        "without quotes"
    )


def _tell(lists: Mapping[str, Sequence[Any]], names: Sequence[str], past: int, reading: Reading) -> None:
    """What is taken for a gap, and what is not read."""
    if absent := [name for name in names if name not in lists]:
        reading.warn(f"no history of {some_of(absent)} was sent: it was taken as a gap")
    longest, shortest = max(map(len, lists.values())), min(map(len, lists.values()))
    if longest > past:
        reading.warn(f"a history has {longest:,} values, and the newest {past:,} were read")
    if shortest < past:
        reading.warn(f"a history has {shortest:,} of {past:,} values: the older ones were taken as gaps")
