"""The curves of a version, curves.json: its losses, metrics and learning rates over its training."""

from dataclasses import dataclass, field

from pydantic import with_config

from knoll.errors import InvalidVersion
from knoll.records.record import LENIENT, Numbers, Record, reader

__all__ = ["CURVES", "CURVES_PICTURE", "CurvePoint", "Curves", "load_curves"]

CURVES, CURVES_PICTURE = "curves.json", "curves.png"


@with_config(LENIENT)
@dataclass(frozen=True)
class CurvePoint:
    """What was measured after a step of an epoch; both count from 1.

    `train` has the mean losses of the steps since the point before, and `held_out` the losses on held-out
    examples. Some points have metrics, too. `rates` has the next learning rate of each optimiser. What is
    not finite, or could not be measured, is missing.
    """

    step: int
    epoch: int
    train: Numbers
    held_out: Numbers = field(default_factory=dict)
    metrics: Numbers = field(default_factory=dict)
    rates: Numbers = field(default_factory=dict)


@with_config(LENIENT)
@dataclass(frozen=True)
class Curves(Record):
    """The points of a training of `steps` steps, each on `held_out` of the held-out examples. `resumed` has
    the steps after which it went on from a checkpoint."""

    steps: int
    held_out: int
    points: tuple[CurvePoint, ...]
    resumed: tuple[int, ...] = ()


load_curves = reader(Curves, "list of curves", file=CURVES, fault=InvalidVersion)
