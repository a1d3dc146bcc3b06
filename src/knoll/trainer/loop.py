"""The training loop: batches, losses in turn, gradient steps, milestones, progress.

It knows no family and no platform. Several processes may train together: all take the same steps in the same
order, each with its share of every batch, and `ranks` averages their gradients.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from knoll.families.base import Examples, Family
from knoll.records.curves import Curves
from knoll.records.progress import StepsTaken
from knoll.trainer.acceleration import PLAIN, Acceleration
from knoll.trainer.best import LAST, End
from knoll.trainer.checkpoints import UNSAVED, StateKeeper
from knoll.trainer.device import computing, lay_out
from knoll.trainer.divergence import Diverged, check_losses, check_state, go_back, means_of
from knoll.trainer.measuring import Measurements, plan_measurements
from knoll.trainer.pace import Looks, StepPace
from knoll.trainer.ranks import ALONE, Ranks
from knoll.trainer.shortcuts import step_taker
from knoll.trainer.task import Task
from knoll.trainer.training_state import TrainingState, begin_training

__all__ = [
    "Report",
    "Trained",
    "train_networks",
]

Report = Callable[[StepsTaken, int | None, Mapping[str, float]], None]  # steps, seconds left, losses
Say = Callable[[str], None]


@dataclass(frozen=True)
class Trained:
    """The networks in eval mode on their `device`, the mean losses of the last epoch, and the picture of each
    milestone by its step. `notes` says what went otherwise than planned, and `faults` why no version may be
    made of it. `how` says how it has computed."""

    networks: nn.ModuleDict
    device: torch.device
    losses: Mapping[str, float]
    curves: Curves
    pictures: Mapping[int, bytes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    how: Acceleration = PLAIN


def train_networks(
    family: Family[Any],
    examples: Examples,
    config: Any,
    *,
    device: torch.device,
    report: Report,
    say: Say,
    warn: Say | None = None,
    ranks: Ranks = ALONE,
    keeper: StateKeeper = UNSAVED,
    end: End = LAST,
    how: Acceleration = PLAIN,
    is_asked_to_stop: Callable[[], bool] = lambda: False,
) -> Trained:
    """Train networks for `config.epochs`, from what `keeper` has saved or anew. `report` is called at most
    once a second and at the end, `say` once per epoch, and `warn` with what people should know. If it
    `is_asked_to_stop`, `keeper` keeps the state after the step that it is in, and this raises Terminated.
    `how` says how it computes.

    The same seed, data, device, number of threads and number of processes give the same weights, in each
    process, however often the training was stopped. If a number is not finite, the training goes back once,
    and then raises Diverged. Raises Rejected if a batch is too small for so many processes, or if the family
    has not what `end` needs.
    """
    task = Task(family, examples, config, device, ranks, end, how)
    ranks.check(task.count // task.per_epoch)
    warn = warn or say
    now, measurements = begin_training(task, keeper), plan_measurements(task, say, warn)
    end.check(len(now.optimizers))
    while True:
        looks = Looks(task, keeper, is_asked_to_stop, owes=now.setback > 0)
        try:
            with computing(device, how):
                pace = _learn(task, now, measurements, looks, report, say)
            break
        except Diverged as error:
            now = go_back(task, keeper, now, error, warn)
    ranks.agree(now.networks)
    _take_best(now, measurements)
    report(now.taken(task.steps, *pace.speed()), 0, now.losses | now.held_out_losses)
    notes = tuple(dict.fromkeys(now.notes))  # each attempt may find the same
    made = now.losses, measurements.curves(now), now.pictures, notes, now.health.faults, how
    lay_out(now.networks, PLAIN)
    return Trained(now.networks.eval(), device, *made)


def _learn(
    task: Task, now: TrainingState, measurements: Measurements, looks: Looks, report: Report, say: Say
) -> StepPace:
    """Train to the end of the last epoch; returns the pace."""
    pace, is_first = StepPace(task.count / task.per_epoch), task.ranks.is_first
    take_step = step_taker(task, now, say)
    while now.epoch <= task.config.epochs and not _has_stopped(task, now, say):
        now.networks.train()
        for batch, share in pace.waiting_for(task.shares(now.batches(task.count, task.per_epoch))):
            take_step(batch, share)
            pace.step()
            measurements.take(now)
            if now.step < task.steps and is_first and pace.is_due():
                _report_step(task, now, pace, report)
            looks.look(now, pace)
        check_losses(now)
        now.losses = means_of(now)
        say(_epoch_line(now, task.config.epochs))
        now.begin_epoch()
    check_state(task, now)
    return pace


def _has_stopped(task: Task, now: TrainingState, say: Say) -> bool:
    """Whether the training ends before an epoch begins."""
    if now.done or not task.end.is_reached(now.best, now.step, task.per_epoch):
        return False
    say(f"stopped: the held-out loss has not fallen for {task.end.patience} epochs")
    return True


def _take_best(now: TrainingState, measurements: Measurements) -> None:
    """Take the best weights, if they were kept and are not the last ones, and look at them."""
    best = now.best
    if best is None or not best.weights or best.step == now.step:
        return
    now.networks.load_state_dict(best.weights)
    told = f"the weights are those after step {best.step} of {now.step}, with the least held-out loss"
    now.notes.append(f"{told}, {best.loss:.4g}")
    measurements.look(now)


def _report_step(task: Task, now: TrainingState, pace: StepPace, report: Report) -> None:
    losses = {name: mean for name, mean in means_of(now).items() if math.isfinite(mean)}
    taken, left = now.taken(task.steps, *pace.speed()), pace.seconds_left(task.steps - now.step)
    report(taken, left, losses | now.held_out_losses)


def _epoch_line(now: TrainingState, epochs: int) -> str:
    held_out = now.curve[-1].held_out if now.curve and now.curve[-1].step == now.step else {}
    losses = (
        f"{name} loss {loss:.4f}" + (f" (held out {held_out[name]:.4f})" if name in held_out else "")
        for name, loss in now.losses.items()
    )
    return f"epoch {now.epoch}/{epochs}  " + "  ".join(losses)
