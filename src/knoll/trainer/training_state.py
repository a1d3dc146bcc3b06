"""All that a training has changed since it began, and how another attempt takes it over."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from knoll.errors import Rejected, Unavailable
from knoll.families.base import Examples, Family
from knoll.records.curves import CurvePoint
from knoll.records.progress import StepsTaken
from knoll.trainer.checkpoints import StateKeeper
from knoll.trainer.generators import generators, restore_generators, seed_generators
from knoll.trainer.ranks import Ranks
from knoll.trainer.state_files import Tree, copied

__all__ = ["TrainingState", "begin_training"]


@dataclass
class TrainingState:
    """The networks and what learns them after `step` steps. The epoch `epoch` has `done` of them.

    `order` draws the order of the examples of an epoch; `epoch_order` is its state when the epoch began.
    `sums` has the losses of the epoch's steps, `losses` the means of the epoch before, and `pictures` the
    milestones. `curve` has the points so far; `counted` are the losses of the epoch's steps up to the last
    one, less those of the epochs since. `resumed` has the steps behind which the training went on after a
    stop.
    """

    networks: nn.ModuleDict
    optimizers: Mapping[str, torch.optim.Optimizer]
    schedules: Mapping[str, LambdaLR]
    device: torch.device
    order: torch.Generator
    epoch_order: torch.Tensor
    epoch: int = 1
    done: int = 0
    step: int = 0
    sums: dict[str, torch.Tensor] = field(default_factory=dict)
    losses: dict[str, float] = field(default_factory=dict)
    pictures: dict[int, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    curve: list[CurvePoint] = field(default_factory=list)
    counted: dict[str, torch.Tensor] = field(default_factory=dict)
    resumed: list[int] = field(default_factory=list)

    @property
    def held_out_losses(self) -> dict[str, float]:
        """Those of the newest point of the curve, by names that no optimiser has."""
        newest = self.curve[-1].held_out if self.curve else {}
        return {f"{name}_held_out": loss for name, loss in newest.items()}

    def taken(self, steps: int, speed: float | None, wait: float | None) -> StepsTaken:
        """How many of the `steps` are taken, and how fast."""
        epoch = self.epoch if self.done else self.epoch - 1
        return StepsTaken(self.step, steps, epoch, speed, wait)

    def batches(self, count: int, batches: int) -> Iterator[torch.Tensor]:
        """The row numbers of each batch of the epoch that is not done yet. The batches are of nearly equal
        size, because batch norm cannot take a last batch of one row."""
        self.order.set_state(self.epoch_order)
        yield from torch.tensor_split(torch.randperm(count, generator=self.order), batches)[self.done :]

    def begin_epoch(self) -> None:
        """Begin the next epoch."""
        self.counted = {name: self.counted.get(name, 0) - total for name, total in self.sums.items()}
        self.epoch, self.done, self.sums = self.epoch + 1, 0, {}
        self.epoch_order = self.order.get_state()

    def add_point(self, held_out: Mapping[str, float], metrics: Mapping[str, float]) -> None:
        """Add a point to the curve, with what was measured now."""
        steps = self.step - (self.curve[-1].step if self.curve else 0)
        sums = {name: total - self.counted.get(name, 0) for name, total in self.sums.items()}
        train = {name: total.item() / steps for name, total in sums.items()}
        rates = {name: float(schedule.get_last_lr()[0]) for name, schedule in self.schedules.items()}
        values = map(_finite, (train, held_out, metrics, rates))
        self.curve.append(CurvePoint(self.step, self.epoch, *values))
        self.counted = dict(self.sums)

    def tree(self, ranks: Ranks) -> Tree:
        """A copy of the state for the first process, in main memory. All processes call this together."""
        networks = self.networks.state_dict()
        floats = {name: value for name, value in self.networks.named_buffers() if value.is_floating_point()}
        means = ranks.mean(list(floats.values()))
        states = ranks.gather(f"generators {self.step}", generators(self.device))
        if not ranks.is_first:
            return None
        return copied(
            {
                "networks": networks | dict(zip(floats, means, strict=True)),
                "optimizers": {name: one.state_dict() for name, one in self.optimizers.items()},
                "schedules": {name: one.state_dict() for name, one in self.schedules.items()},
                "generators": states,
                "epoch_order": self.epoch_order,
                "place": (self.epoch, self.done, self.step),
                "sums": self.sums,
                "losses": self.losses,
                "pictures": self.pictures,
                "notes": self.notes,
                "curve": [asdict(point) for point in self.curve],
                "counted": self.counted,
                "resumed": self.resumed,
            }
        )

    def take_over(self, tree: Tree, ranks: Ranks, seed: int) -> None:
        """Go on from a state that `tree` made. If as many processes had made it, the generators go on too;
        else they begin anew, each in another way. Raises Rejected if it is the state of another training;
        then this one may be half changed."""
        try:
            self.networks.load_state_dict(tree["networks"])
            for name, optimizer in self.optimizers.items():
                optimizer.load_state_dict(tree["optimizers"][name])
            for name, schedule in self.schedules.items():
                schedule.load_state_dict(tree["schedules"][name])
            self.epoch_order = tree["epoch_order"]
            self.epoch, self.done, self.step = tree["place"]
            self.sums = {name: one.to(self.device) for name, one in tree["sums"].items()}
            self.losses, self.pictures, self.notes = tree["losses"], tree["pictures"], tree["notes"]
            self.curve = [CurvePoint(**point) for point in tree["curve"]]
            self.counted = {name: one.to(self.device) for name, one in tree["counted"].items()}
            self.resumed = tree["resumed"]
            states = tree["generators"]
        except (ValueError, TypeError, LookupError, RuntimeError, AttributeError) as error:
            raise Rejected("its state is of another training: other networks, or other parts") from error
        if len(states) == ranks.world:
            restore_generators(states[ranks.rank], self.device)
        else:
            ranks.reseed(seed + self.step)


def begin_training(
    family: Family[Any],
    examples: Examples,
    config: Any,
    device: torch.device,
    ranks: Ranks,
    keeper: StateKeeper,
    total: int,
) -> TrainingState:
    """The newest state that was kept and fits, or that before the first step. Raises Unavailable if the
    processes have not found the same one."""
    fresh = partial(_fresh, family, examples, config, device, ranks, total)
    now = fresh()
    for saved in keeper.saved():
        try:
            now.take_over(saved.tree, ranks, config.seed)
        except Rejected as error:
            keeper.pass_over(saved.step, error)
            now = fresh()
        else:
            keeper.resume(saved)
            now.resumed.append(saved.step)
            break
    (steps,) = ranks.add_up(now.step, device=device)
    if steps != now.step * ranks.world:
        raise Unavailable("the processes of the training have found different checkpoints")
    return now


def _fresh(
    family: Family[Any], examples: Examples, config: Any, device: torch.device, ranks: Ranks, total: int
) -> TrainingState:
    seed_generators(config.seed)
    order = torch.Generator().manual_seed(config.seed)
    networks = family.build(config, examples.about).to(device)
    ranks.begin(networks, config.seed)
    optimizers = family.optimizers(networks, config)
    schedules = {
        name: LambdaLR(optimizer, lambda taken: family.rate(min(taken / total, 1.0), config))
        for name, optimizer in optimizers.items()
    }
    return TrainingState(networks, optimizers, schedules, device, order, order.get_state())


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if math.isfinite(value)}
