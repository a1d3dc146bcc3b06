"""The windows of one version in the form of another one, which may know other series and look back another
time."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from knoll.errors import Rejected
from knoll.families.traffic.declaration import TrafficConfig
from knoll.quoting import some_of
from knoll.records.signature import Signature

__all__ = ["windows_for"]

_Convert = Callable[[torch.Tensor], torch.Tensor]


def windows_for(
    signature: Signature, about: Mapping[str, Any], config: TrafficConfig
) -> tuple[_Convert, list[int]]:
    """A function from our windows to those that the signature wants, and where our series are in its answers.
    Raises Rejected if it tells other steps, series or quantiles, or wants a longer history."""
    names, events = [one["name"] for one in about["series"]], about["events"]
    wanted, (answer,) = signature.inputs[0], signature.outputs
    if not wanted.series:
        raise Rejected("its inputs are no series")
    theirs = wanted.options
    if any(
        theirs[name] != about[ours]
        for name, ours in (("step", "step"), ("offset", "offset"), ("zoned", "is_zoned"))
    ):
        raise Rejected("its steps of time are others")
    if theirs["horizon"] != config.horizon or theirs["history"] > config.history:
        raise Rejected("it looks another time ahead, or further back")
    if [*answer.options["quantiles"]] != [*config.quantiles]:
        raise Rejected("its quantiles are others")
    if absent := sorted({*names} - {*wanted.series}):
        raise Rejected(f"it does not know the series {some_of(absent)}")
    if strange := sorted({*theirs["events"]} - {*events}):
        raise Rejected(f"it wants the events {some_of(strange)}, which the data lacks")
    count, past = len(names), theirs["history"] + theirs["horizon"]
    places = [names.index(one) if one in names else -1 for one in wanted.series]
    rows = [count, count + 1, *(count + 2 + events.index(one) for one in theirs["events"])]

    def convert(window: torch.Tensor) -> torch.Tensor:
        newest = window[:, :, -past:]
        empty = torch.zeros_like(newest[:, :1])
        series = [empty if place < 0 else newest[:, place : place + 1] for place in places]
        return torch.cat([*series, newest[:, rows]], 1).contiguous()

    return convert, [wanted.series.index(one) for one in names]
