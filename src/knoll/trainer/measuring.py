"""What is measured of a training after some of its steps: losses, metrics, pictures.

None of it changes the training: its weights are the same to the last bit as if nobody had looked. What cannot
be measured is left out.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from knoll.families.base import Batch, Examples, Family
from knoll.records.curves import Curves
from knoll.trainer.generators import borrowed_generators
from knoll.trainer.ranks import Ranks
from knoll.trainer.report import leave_out
from knoll.trainer.training_state import TrainingState

__all__ = ["Measurements", "milestone_steps", "plan_measurements", "point_steps"]

_MILESTONES = 8
_FEWEST, _MOST = 12, 100  # points of a curve
_LEAST_ROWS, _TRAINED_ROWS = 256, 32  # held-out rows of a point: so many, or one for so many trained ones
_LEAST_SCORED, _SCORED_BYTES = 16, 32 * 2**20  # rows with metrics: the first, or as many as have these bytes
_HELD_OUT, _METRICS = "the curve of held-out losses", "the curve of metrics"


def milestone_steps(steps: int) -> set[int]:
    """Up to eight evenly spaced steps, with the last one."""
    return _spread(steps, min(_MILESTONES, steps))


def point_steps(steps: int, epochs: int) -> set[int]:
    """The steps after which the curve has a point: the last one of each epoch. If the epochs are few, there
    are points between, and if they are very many, points are evenly spaced."""
    return _spread(steps, min(steps, _MOST, epochs * -(-_FEWEST // epochs)))


@dataclass(frozen=True)
class Measurements:
    """What is measured after which steps: points of the curve, some of them with metrics, and pictures.
    `rows` are the held-out examples of a point."""

    family: Family[Any]
    examples: Examples
    config: Any
    device: torch.device
    ranks: Ranks
    say: Callable[[str], None]
    points: frozenset[int]
    with_metrics: frozenset[int]
    milestones: frozenset[int]
    steps: int
    rows: torch.Tensor

    def take(self, now: TrainingState) -> None:
        """Add to the state what is due after its step. All processes call this together."""
        if now.step in self.milestones and self.ranks.is_first:
            with leave_out(f"the picture of step {now.step}", self.say, now.notes), self._watched(now):
                picture = self.family.milestone_picture(now.networks, self.examples, self.config)
                now.pictures |= {} if picture is None else {now.step: picture}
        if now.step not in self.points:
            return
        self.ranks.agree(now.networks)
        held_out = self._held_out_losses(now)
        metrics = self._metrics(now) if now.step in self.with_metrics and self.ranks.is_first else {}
        now.add_point(held_out, metrics)

    def curves(self, now: TrainingState) -> Curves:
        """The points so far."""
        return Curves(self.steps, len(self.rows), tuple(now.curve), tuple(now.resumed))

    def _held_out_losses(self, now: TrainingState) -> Mapping[str, float]:
        """The mean loss of each optimiser over the rows, the same in all processes."""
        has_rows = len(self.ranks.share(self.rows)) > 0
        sums = dict.fromkeys(now.optimizers, math.nan if has_rows else 0.0)
        if has_rows:
            sums |= self._unless_it_fails(_HELD_OUT, now, self._sums_of_losses)
        totals = self.ranks.add_up(*sums.values(), device=self.device)
        return {name: total / len(self.rows) for name, total in zip(sums, totals, strict=True)}

    def _sums_of_losses(self, networks: nn.ModuleDict) -> Mapping[str, float]:
        """The losses of this process's share of the rows."""
        sums: dict[str, torch.Tensor] = {}
        rows_at_once = max(1, self.config.batch_size // self.ranks.world)
        for part in torch.split(self.ranks.share(self.rows), rows_at_once):
            batch = tuple(column.to(self.device) for column in _chosen(self.examples.held_out, part))
            losses = self.family.losses(networks, self.family.prepare(batch, self.config), self.config)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
                for name, loss in losses:
                    sums[name] = sums.get(name, torch.zeros_like(loss)) + loss * len(part)
        return {name: total.item() for name, total in sums.items()}

    def _metrics(self, now: TrainingState) -> Mapping[str, float]:
        """The metrics on the rows, or on some if they are large, beside as many training examples."""
        sides = (self.examples.train, self.examples.held_out)
        size = max(1, sum(column[:1].nbytes for column in sides[1]))
        count = min(len(self.rows), max(_LEAST_SCORED, _SCORED_BYTES // size))
        train, held_out = (_chosen(side, _evenly(len(side[0]), count)) for side in sides)
        few = replace(self.examples, train=train, held_out=held_out)
        return self._unless_it_fails(
            _METRICS, now, lambda networks: self.family.score(networks, few, self.config)
        )

    def _unless_it_fails(
        self, what: str, now: TrainingState, measure: Callable[[nn.ModuleDict], Mapping[str, float]]
    ) -> Mapping[str, float]:
        """What `measure` returns; nothing if it fails, now or before."""
        if not any(note.startswith(what) for note in now.notes):
            with leave_out(what, self.say, now.notes), self._watched(now):
                return measure(now.networks)
        return {}

    @contextmanager
    def _watched(self, now: TrainingState) -> Iterator[None]:
        """The networks are in eval mode, without gradients, and no random number is missed afterwards."""
        now.networks.eval()
        try:
            with torch.no_grad(), borrowed_generators(self.config.seed, self.device):
                yield
        finally:
            now.networks.train()


def plan_measurements(
    family: Family[Any],
    examples: Examples,
    config: Any,
    device: torch.device,
    ranks: Ranks,
    say: Callable[[str], None],
    steps: int,
) -> Measurements:
    """What is measured of a training of so many steps. All points together take about a hundredth of its
    time, and in a short training a little more."""
    points = sorted(point_steps(steps, config.epochs))
    trained = len(examples.train[0]) * config.epochs // len(points)
    held_out = len(examples.held_out[0])
    rows = _evenly(held_out, max(_LEAST_ROWS, trained // _TRAINED_ROWS))
    with_metrics = frozenset(points[number - 1] for number in milestone_steps(len(points)))
    milestones = frozenset(milestone_steps(steps))
    at = frozenset(points), with_metrics, milestones
    return Measurements(family, examples, config, device, ranks, say, *at, steps, rows)


def _spread(steps: int, count: int) -> set[int]:
    return {steps * one // count for one in range(1, count + 1)}


def _evenly(examples: int, count: int) -> torch.Tensor:
    """Row numbers from the first to the last, at most `count`."""
    return torch.linspace(0, examples - 1, min(examples, count)).long()


def _chosen(columns: Batch, rows: torch.Tensor) -> Batch:
    return tuple(column[rows] for column in columns)
