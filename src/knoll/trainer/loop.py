"""The training loop: batches, losses in turn, gradient steps, milestones, progress.

It knows no family and no platform. Several processes may train together: all take the same steps in the same
order, each with its share of every batch, and `ranks` averages their gradients.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from knoll.errors import Rejected
from knoll.families.base import Batch, Examples, Family
from knoll.records.curves import Curves
from knoll.records.progress import StepsTaken
from knoll.trainer.checkpoints import UNSAVED, StateKeeper
from knoll.trainer.measuring import plan_measurements
from knoll.trainer.pace import Looks, StepPace
from knoll.trainer.ranks import ALONE, Ranks
from knoll.trainer.training_state import TrainingState, begin_training

__all__ = [
    "Diverged",
    "Report",
    "Trained",
    "choose_device",
    "largest_batch",
    "train_networks",
]

Report = Callable[[StepsTaken, int | None, Mapping[str, float]], None]  # steps, seconds left, losses
Say = Callable[[str], None]


class Diverged(Rejected):
    """A loss is not finite. The same data and config would end in the same way."""


@dataclass(frozen=True)
class Trained:
    """The networks in eval mode on their `device`, the mean losses of the last epoch, and the picture of each
    milestone by its step. `notes` says what could not be drawn or measured."""

    networks: nn.ModuleDict
    device: torch.device
    losses: Mapping[str, float]
    curves: Curves
    pictures: Mapping[int, bytes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def choose_device(wanted: str) -> torch.device:
    """The device of that name. If the name is empty, CUDA if there is one, else the CPU."""
    return torch.device(wanted or ("cuda" if torch.cuda.is_available() else "cpu"))


def largest_batch(count: int, batch_size: int) -> int:
    """The examples of the largest step: batches are of nearly equal size."""
    return -(-count // max(1, count // batch_size))


def train_networks(
    family: Family[Any],
    examples: Examples,
    config: Any,
    *,
    device: torch.device,
    report: Report,
    say: Say,
    ranks: Ranks = ALONE,
    keeper: StateKeeper = UNSAVED,
    is_asked_to_stop: Callable[[], bool] = lambda: False,
) -> Trained:
    """Train networks for `config.epochs`, from what `keeper` has saved or anew. `report` is called at most
    once a second and at the end, `say` once per epoch. If it `is_asked_to_stop`, `keeper` keeps the state
    after the step that it is in, and this raises Terminated.

    The same seed, data, device, number of threads and number of processes give the same weights, in each
    process, however often the training was stopped. Raises Diverged if a loss is not finite, Rejected if a
    batch is too small for so many processes.
    """
    count = len(examples.train[0])
    per_epoch = max(1, count // config.batch_size)
    total = per_epoch * config.epochs
    ranks.check(count // per_epoch)
    now = begin_training(family, examples, config, device, ranks, keeper, total)
    networks = now.networks
    precision = torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")
    zero = torch.zeros((), device=device)
    measurements = plan_measurements(family, examples, config, device, ranks, say, total)
    pace, looks = StepPace(count / per_epoch), Looks(ranks, keeper, is_asked_to_stop, device)
    while now.epoch <= config.epochs:
        networks.train()
        batches = _batches(now.batches(count, per_epoch), examples, ranks, device)
        for batch, share in pace.waiting_for(batches):
            batch = family.augment(family.prepare(batch, config), config)
            turns = family.losses(networks, batch, config)
            while True:
                with precision:
                    turn = next(turns, None)
                if turn is None:
                    break
                name, loss = turn
                now.optimizers[name].zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                mean = ranks.average(now.optimizers[name], loss, share)
                now.optimizers[name].step()
                now.schedules[name].step()
                now.sums[name] = now.sums.get(name, zero) + mean  # stays on the device until it is reported
            now.step, now.done = now.step + 1, now.done + 1
            pace.step()
            measurements.take(now)
            if now.step < total and ranks.is_first and pace.is_due():
                left, means = pace.seconds_left(total - now.step), _means(now.sums, now.done, now.step)
                report(now.taken(total, *pace.speed()), left, means | now.held_out_losses)
            looks.look(now, total, pace)
        now.losses = _means(now.sums, per_epoch, now.step)
        say(_epoch_line(now, config.epochs))
        now.begin_epoch()
    ranks.agree(networks)
    report(now.taken(total, *pace.speed()), 0, now.losses | now.held_out_losses)
    made = now.losses, measurements.curves(now), now.pictures, tuple(now.notes)
    return Trained(networks.eval(), device, *made)


def _batches(
    batches: Iterable[torch.Tensor], examples: Examples, ranks: Ranks, device: torch.device
) -> Iterator[tuple[Batch, float]]:
    """This process's examples of each batch, on its device, and which part of the batch they are."""
    for rows in batches:
        mine = ranks.share(rows)
        yield (
            tuple(column[mine].to(device, non_blocking=True) for column in examples.train),
            len(mine) / len(rows),
        )


def _epoch_line(now: TrainingState, epochs: int) -> str:
    held_out = now.curve[-1].held_out if now.curve and now.curve[-1].step == now.step else {}
    losses = (
        f"{name} loss {loss:.4f}" + (f" (held out {held_out[name]:.4f})" if name in held_out else "")
        for name, loss in now.losses.items()
    )
    return f"epoch {now.epoch}/{epochs}  " + "  ".join(losses)


def _means(sums: Mapping[str, torch.Tensor], steps: int, step: int) -> dict[str, float]:
    means = {name: total.item() / steps for name, total in sums.items()}
    for name, mean in means.items():
        if not abs(mean) < float("inf"):
            raise Diverged(
                f"training diverged: the {name} loss is {mean} by step {step}",
                fix="lower learningRate, or look for extreme values in the data",
            )
    return means
