"""The curves of a version, curves.json: its losses, metrics and learning rates over its training."""

from dataclasses import dataclass, field

from pydantic import with_config

from knoll.records.record import LENIENT, Numbers

__all__ = ["CurvePoint"]


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
