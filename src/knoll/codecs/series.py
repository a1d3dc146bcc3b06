"""The codec `series`: the history of some series in, the quantiles of their next steps out.

    {"time": "2026-01-31T10:00", "history": {"Main Street": [12, null, 17]},
     "events": {"holiday": ["2026-02-01"]}}

`time` is that of the last value of each history, or `start` that of the first one. null is a gap. If there is
one series, its history needs no name. An event is on at a time, or on a whole day.

The options of the tensor say what the data was: `names`, those of the series; `events`; `step` in seconds,
and `offset`, where in 1970 the first step began; `zoned`, whether its times have a zone; `history` and
`horizon` in steps. With S series and E events the tensor is float32 (S + 2 + E, history + horizon, 2):

    row          numbers of a step
    a series     its value, 1; 0, 0 for a gap and for what is to be told
    S            the parts of the day and of the week that have passed, Monday first, 0..1
    S + 1        the part of the year that has passed, 0
    an event     1 if it is on, else 0; 1
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from knoll.codecs.arrays import Array
from knoll.codecs.codec import Codec
from knoll.codecs.known import fault_of_names
from knoll.codecs.reading import Reading
from knoll.codecs.series_history import read_history
from knoll.codecs.series_picture import draw_forecast
from knoll.errors import InvalidInstance
from knoll.quoting import shown
from knoll.records.signature import Tensor
from knoll.tables import moment_of

__all__ = ["SERIES", "calendar_of", "moment_text"]

_DAY = 86_400
_WEEK = 7 * _DAY
_YEAR = 365.2425 * _DAY
_MONDAY = 4 * _DAY  # the first one of 1970 is its fifth day
_RIGHT = 'send {"time": the time of the last value, "history": {"a series": [numbers, null for a gap]}}'
_FIELDS = ("time", "start", "history", "events")
_MOST_EXAMPLE = 4096  # numbers


def calendar_of(first: int, step: int, count: int) -> Array:
    """The rows of the calendar, float32 (2, count, 2), for so many steps of seconds, of which the first is
    `first` seconds after 1970 began."""
    times = first + step * np.arange(count, dtype=np.int64)
    day, week = times % _DAY / _DAY, (times - _MONDAY) % _WEEK / _WEEK
    year = times / _YEAR % 1
    return np.stack([np.stack([day, week], 1), np.stack([year, 0 * year], 1)]).astype(np.float32)


def moment_text(seconds: int, *, is_zoned: bool) -> str:
    """Seconds since 1970 as a caller writes them."""
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return text.removesuffix(":00") + "Z" * is_zoned


def _decode(value: Any, tensor: Tensor, reading: Reading) -> Array:
    """Raises InvalidInstance that names the series, the event or the time, and what `reading` raises. What is
    too long, too short or not sent is told."""
    options = tensor.options
    if not isinstance(value, dict):
        raise InvalidInstance("a forecast needs an object with a time and a history", fix=_RIGHT)
    if fault := fault_of_names(value, _FIELDS, "field"):
        raise InvalidInstance(fault, fix=_RIGHT)
    past, ahead, names = options["history"], options["horizon"], tensor.series
    history, longest = read_history(value.get("history"), names, past, reading, is_even="start" in value)
    first = _last(value, tensor, longest) - (past - 1) * options["step"]
    window = np.zeros((len(names) + 2 + len(options["events"]), past + ahead, 2), np.float32)
    window[: len(names), :past] = history
    window[len(names) : len(names) + 2] = calendar_of(first, options["step"], past + ahead)
    window[len(names) + 2 :, :, 1] = 1
    for name, times in _events(value.get("events"), options["events"]).items():
        row = window[len(names) + 2 + options["events"].index(name), :, 0]
        for one in times:
            begin, end = (max(0, -(-(at - first) // options["step"])) for at in _when(one, name, tensor))
            row[begin:end] = 1
    return window


def _last(value: Mapping[str, Any], tensor: Tensor, longest: int) -> int:
    """The time of the last value, in seconds since 1970."""
    if ("time" in value) == ("start" in value):
        raise InvalidInstance(
            "it has both time and start" if "time" in value else "it has neither time nor start", fix=_RIGHT
        )
    field = "time" if "time" in value else "start"
    seconds, step = _moment(value[field], field, tensor), tensor.options["step"]
    if beyond := (seconds - tensor.options["offset"]) % step:
        raise InvalidInstance(
            f"{field} is {shown(value[field])}, and the steps of {step:,} seconds that were learnt have none "
            "there",
            fix=f"send such as {moment_text(seconds - beyond, is_zoned=tensor.options['zoned'])}",
        )
    return seconds if field == "time" else seconds + (longest - 1) * step


def _moment(text: Any, field: str, tensor: Tensor) -> int:
    """Raises InvalidInstance, also if the time has a zone and those of the data have none, or the other way
    round: what it means would be a guess."""
    example = shown(tensor.options["latest"])
    if (found := moment_of(text)) is None:
        raise InvalidInstance(
            f"{field} is {shown(text)}, no date or time of whole seconds", fix=f"send {example}"
        )
    seconds, has_zone = found
    if has_zone != tensor.options["zoned"]:
        told = "has no zone, and the times of the data have one"
        if has_zone:
            told = "has a zone, and the times of the data have none: they are those of a clock on the wall"
        raise InvalidInstance(f"{field} {shown(text)} {told}", fix=f"send such as {example}")
    return seconds


def _events(value: Any, known: Sequence[str]) -> Mapping[str, Sequence[Any]]:
    """The times of each event. Raises InvalidInstance."""
    right = 'send {"holiday": ["2026-02-01"]}, with the name of the event and its days or times'
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidInstance("events are no object of lists by name", fix=right)
    if fault := fault_of_names(value, known, "event"):
        raise InvalidInstance(fault, fix=right)
    for name, times in value.items():
        if not isinstance(times, list):
            raise InvalidInstance(f"the times of event {shown(name)} are no list", fix=right)
    return value


def _when(text: Any, name: str, tensor: Tensor) -> tuple[int, int]:
    """From when until when an event is on: a whole day, or one step."""
    if isinstance(text, str) and len(text.strip()) == len("2026-01-31") and (day := moment_of(text)):
        return day[0], day[0] + _DAY
    seconds = _moment(text, f"a time of event {shown(name)}", tensor)
    return seconds, seconds + tensor.options["step"]


def _example(tensor: Tensor) -> dict[str, Any] | None:
    """The usual value of each series, all the time; None if there would be many."""
    usual, count = tensor.options["usual"], tensor.options["history"]
    if len(usual) * count > _MOST_EXAMPLE:
        return None
    history = {name: [one] * count for name, one in zip(tensor.series, usual, strict=True)}
    return {"time": tensor.options["latest"], "history": history}


def _encode(batch: Array, tensor: Tensor) -> list[Any]:
    """(B, S, F, Q) -> the numbers of each quantile by series."""
    names = [f"{one:g}" for one in tensor.options["quantiles"]]
    return [
        {
            series: dict(zip(names, numbers.T.tolist(), strict=True))
            for series, numbers in zip(tensor.series, row, strict=True)
        }
        for row in batch
    ]


SERIES = Codec("series", decode=_decode, example=_example, encode=_encode, draw=draw_forecast)
