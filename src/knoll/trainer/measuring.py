"""What is measured of a training after some of its steps: losses, metrics, pictures.

None of it changes the training: its weights are the same to the last bit as if nobody had looked. What cannot
be measured is left out.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import nn

from knoll.families.base import Batch, Columns
from knoll.records.curves import Curves
from knoll.trainer.best import lesser
from knoll.trainer.divergence import check_losses
from knoll.trainer.generators import borrowed_generators
from knoll.trainer.health import look_at
from knoll.trainer.report import leave_out
from knoll.trainer.task import Task
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

    task: Task
    say: Callable[[str], None]
    warn: Callable[[str], None]
    points: frozenset[int]
    with_metrics: frozenset[int]
    milestones: frozenset[int]
    rows: torch.Tensor

    def take(self, now: TrainingState) -> None:
        """Add to the state what is due after its step. All processes call this together. Raises Diverged."""
        task = self.task
        if now.step in self.milestones and task.ranks.is_first:
            with leave_out(f"the picture of step {now.step}", self.say, now.notes), self._watched(now):
                picture = task.family.milestone_picture(now.networks, task.examples, task.config)
                now.pictures |= {} if picture is None else {now.step: picture}
        if now.step not in self.points:
            return
        check_losses(now)  # before a family looks at what they have spoilt
        task.ranks.agree(now.networks)
        held_out = self._held_out_losses(now)
        metrics = self._metrics(now) if now.step in self.with_metrics and task.ranks.is_first else {}
        now.add_point(held_out, metrics)
        if task.end.needs_loss:
            (loss,) = held_out.values()
            kept = now.networks if task.end.keeps_best else None
            now.best = lesser(now.best, now.step, loss, kept)
        self.look(now)

    def look(self, now: TrainingState) -> None:
        """Look at the signs of the family, if this process is the first one. A fault in them ends the
        training: nobody would guard it."""
        if not self.task.ranks.is_first:
            return
        with self._watched(now):
            signs = self.task.family.signs(now.networks, self.task.examples, self.task.config)
        now.health, warnings = look_at(now.health, signs, now.step)
        for one in warnings:
            self.warn(one)

    def curves(self, now: TrainingState) -> Curves:
        """The points so far."""
        return Curves(self.task.steps, len(self.rows), tuple(now.curve), tuple(now.resumed))

    def _held_out_losses(self, now: TrainingState) -> Mapping[str, float]:
        """The mean loss of each optimiser over the rows, the same in all processes."""
        has_rows = len(self.task.ranks.share(self.rows)) > 0
        sums = dict.fromkeys(now.optimizers, math.nan if has_rows else 0.0)
        if has_rows:
            sums |= self._unless_it_fails(_HELD_OUT, now, self._sums_of_losses)
        totals = self.task.ranks.add_up(*sums.values(), device=self.task.device)
        return {name: total / len(self.rows) for name, total in zip(sums, totals, strict=True)}

    def _sums_of_losses(self, networks: nn.ModuleDict) -> Mapping[str, float]:
        """The losses of this process's share of the rows."""
        sums: dict[str, torch.Tensor] = {}
        rows_at_once = max(1, self.task.config.batch_size // self.task.ranks.world)
        for part in torch.split(self.task.ranks.share(self.rows), rows_at_once):
            rows = self.task.rows(self.task.examples.held_out, part)
            batch = self.task.family.prepare(rows, self.task.config)
            for name, loss in self.task.losses(networks, batch):
                sums[name] = sums.get(name, torch.zeros_like(loss)) + loss * len(part)
        return {name: total.item() for name, total in sums.items()}

    def _metrics(self, now: TrainingState) -> Mapping[str, float]:
        """The metrics on the rows, or on some if they are large, beside as many training examples."""
        sides = (self.task.examples.train, self.task.examples.held_out)
        size = max(1, sum(column[:1].nbytes for column in sides[1]))
        count = min(len(self.rows), max(_LEAST_SCORED, _SCORED_BYTES // size))
        train, held_out = (_chosen(side, _evenly(len(side[0]), count)) for side in sides)
        few = replace(self.task.examples, train=train, held_out=held_out)
        return self._unless_it_fails(
            _METRICS, now, lambda networks: self.task.family.score(networks, few, self.task.config)
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
            with torch.no_grad(), borrowed_generators(self.task.config.seed, self.task.device):
                yield
        finally:
            now.networks.train()


def plan_measurements(task: Task, say: Callable[[str], None], warn: Callable[[str], None]) -> Measurements:
    """What is measured of a training. All points together take about a hundredth of its time, and in a short
    training a little more."""
    points = sorted(point_steps(task.steps, task.config.epochs))
    trained = task.count * task.config.epochs // len(points)
    rows = _evenly(len(task.examples.held_out[0]), max(_LEAST_ROWS, trained // _TRAINED_ROWS))
    with_metrics = frozenset(points[number - 1] for number in milestone_steps(len(points)))
    milestones = frozenset(milestone_steps(task.steps))
    return Measurements(task, say, warn, frozenset(points), with_metrics, milestones, rows)


def _spread(steps: int, count: int) -> set[int]:
    return {steps * one // count for one in range(1, count + 1)}


def _evenly(examples: int, count: int) -> torch.Tensor:
    """Row numbers from the first to the last, at most `count`."""
    return torch.linspace(0, examples - 1, min(examples, count)).long()


def _chosen(columns: Columns, rows: torch.Tensor) -> Batch:
    return tuple(column[rows] for column in columns)
