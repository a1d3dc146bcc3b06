"""The training loop: batches, losses in turn, gradient steps, milestones, progress.

It knows no family and no platform. Several processes may train together: all take the same steps in the same
order, each with its share of every batch, and `ranks` averages their gradients.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from knoll.errors import Rejected
from knoll.families.base import Examples, Family
from knoll.trainer.ranks import ALONE, Ranks
from knoll.trainer.report import leave_out

__all__ = [
    "Diverged",
    "Report",
    "Trained",
    "choose_device",
    "largest_batch",
    "milestone_steps",
    "train_networks",
]

Report = Callable[[float, int | None, Mapping[str, float]], None]  # fraction done, seconds left, losses
Say = Callable[[str], None]

_REPORT_SECONDS = 1.0
_MILESTONES = 8
_SMOOTHING = 0.1  # of the seconds per step


class Diverged(Rejected):
    """A loss is not finite. The same data and config would end in the same way."""


@dataclass(frozen=True)
class Trained:
    """The networks in eval mode on their `device`, the mean losses of the last epoch, and the picture of each
    milestone by its step. `notes` says which pictures could not be drawn."""

    networks: nn.ModuleDict
    device: torch.device
    losses: Mapping[str, float]
    pictures: Mapping[int, bytes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def choose_device(wanted: str) -> torch.device:
    """The device of that name. If the name is empty, CUDA if there is one, else the CPU."""
    return torch.device(wanted or ("cuda" if torch.cuda.is_available() else "cpu"))


def largest_batch(count: int, batch_size: int) -> int:
    """The examples of the largest step: batches are of nearly equal size."""
    return -(-count // max(1, count // batch_size))


def milestone_steps(steps: int) -> set[int]:
    """Up to eight evenly spaced steps, with the last one."""
    count = min(_MILESTONES, steps)
    return {steps * one // count for one in range(1, count + 1)}


def train_networks(
    family: Family[Any],
    examples: Examples,
    config: Any,
    *,
    device: torch.device,
    report: Report,
    say: Say,
    ranks: Ranks = ALONE,
) -> Trained:
    """Train fresh networks for `config.epochs`. `report` is called at most once a second and at the end,
    `say` once per epoch.

    The same seed, data, device, number of threads and number of processes give the same weights, in each
    process. Raises Diverged if a loss is not finite, Rejected if a batch is too small for so many processes.
    """
    torch.manual_seed(config.seed)
    order = torch.Generator().manual_seed(config.seed)
    count = len(examples.train[0])
    per_epoch = max(1, count // config.batch_size)
    total = per_epoch * config.epochs
    ranks.check(count // per_epoch)
    networks = family.build(config, examples.about).to(device)
    ranks.begin(networks, config.seed)
    optimizers = family.optimizers(networks, config)
    schedules = {
        name: LambdaLR(optimizer, lambda taken: family.rate(min(taken / total, 1.0), config))
        for name, optimizer in optimizers.items()
    }
    precision = torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")
    milestones, zero = milestone_steps(total), torch.zeros((), device=device)
    pictures: dict[int, bytes] = {}
    notes: list[str] = []
    losses: dict[str, float] = {}
    pace, step = _Pace(), 0
    for epoch in range(1, config.epochs + 1):
        sums: dict[str, torch.Tensor] = {}
        networks.train()
        for done, rows in enumerate(_shuffled(count, per_epoch, order), start=1):
            mine = ranks.share(rows)
            batch = tuple(column[mine].to(device, non_blocking=True) for column in examples.train)
            batch = family.augment(batch, config)
            turns = family.losses(networks, batch, config)
            while True:
                with precision:
                    turn = next(turns, None)
                if turn is None:
                    break
                name, loss = turn
                optimizers[name].zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                mean = ranks.average(optimizers[name], loss, len(mine) / len(rows))
                optimizers[name].step()
                schedules[name].step()
                sums[name] = sums.get(name, zero) + mean  # stays on the device until it is reported
            step += 1
            pace.step()
            if step in milestones and ranks.is_first:
                with leave_out(f"the picture of step {step}", say, notes):
                    picture = _draw_milestone(family, networks, examples, config)
                    pictures |= {} if picture is None else {step: picture}
            if step < total and ranks.is_first and pace.is_due():
                report(step / total, pace.seconds_left(total - step), _means(sums, done, step))
        losses = _means(sums, per_epoch, step)
        say(
            f"epoch {epoch}/{config.epochs}  "
            + "  ".join(f"{name} loss {loss:.4f}" for name, loss in losses.items())
        )
    ranks.agree(networks)
    report(1.0, 0, losses)
    return Trained(networks.eval(), device, losses, pictures, tuple(notes))


class _Pace:
    """Seconds per step, and when the next report is due. They are an exponential moving average without the
    first step, which is slower."""

    def __init__(self) -> None:
        self._last = self._reported = time.monotonic()
        self._steps = 0
        self._seconds = 0.0

    def step(self) -> None:
        present = time.monotonic()
        took, self._last = present - self._last, present
        self._steps += 1
        if self._steps <= 2:
            self._seconds = took
        else:
            self._seconds += _SMOOTHING * (took - self._seconds)

    def is_due(self) -> bool:
        if self._last - self._reported < _REPORT_SECONDS:
            return False
        self._reported = self._last
        return True

    def seconds_left(self, steps: int) -> int | None:
        return round(self._seconds * steps) if self._steps > 1 else None


def _shuffled(count: int, batches: int, order: torch.Generator) -> Iterator[torch.Tensor]:
    """Row numbers of each batch. The batches are of nearly equal size, because batch norm cannot take a last
    batch of one row."""
    yield from torch.tensor_split(torch.randperm(count, generator=order), batches)


def _means(sums: Mapping[str, torch.Tensor], steps: int, step: int) -> dict[str, float]:
    means = {name: total.item() / steps for name, total in sums.items()}
    for name, mean in means.items():
        if not abs(mean) < float("inf"):
            raise Diverged(
                f"training diverged: the {name} loss is {mean} by step {step}",
                fix="lower learningRate, or look for extreme values in the data",
            )
    return means


@torch.no_grad()
def _draw_milestone(
    family: Family[Any], networks: nn.ModuleDict, examples: Examples, config: Any
) -> bytes | None:
    networks.eval()
    try:
        return family.milestone_picture(networks, examples, config)
    finally:
        networks.train()
