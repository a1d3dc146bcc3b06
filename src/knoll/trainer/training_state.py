"""All that a training has changed since it began, and how another attempt takes it over."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn
from torch.amp import GradScaler
from torch.optim.lr_scheduler import LambdaLR

from knoll.errors import Rejected, Unavailable
from knoll.records.curves import CurvePoint
from knoll.records.progress import StepsTaken
from knoll.trainer.best import Best, best_of
from knoll.trainer.checkpoints import Saved, StateKeeper
from knoll.trainer.device import fuse, lay_out, take_over_optimizer
from knoll.trainer.generators import generators, restore_generators, seed_generators
from knoll.trainer.health import Health, health_of
from knoll.trainer.ranks import Ranks
from knoll.trainer.state_files import Tree, copied
from knoll.trainer.task import Task

__all__ = ["TrainingState", "begin_training", "restore"]


@dataclass
class TrainingState:
    """The networks and what learns them after `step` steps. The epoch `epoch` has `done` of them.

    `order` draws the order of the examples of an epoch; `epoch_order` is its state when the epoch began.
    `sums` has the losses of the epoch's steps, `losses` the means of the epoch before, and `pictures` the
    milestones. `curve` has the points so far; `counted` are the losses of the epoch's steps up to the last
    one, less those of the epochs since. `resumed` has the steps after which the training went on after a
    stop. `setback` is the step by which it had diverged when it went back; 0 if it never did.
    `health` is that at the last point, `best` is kept if the end of the training needs it.
    """

    networks: nn.ModuleDict
    optimizers: Mapping[str, torch.optim.Optimizer]
    schedules: Mapping[str, LambdaLR]
    device: torch.device
    scaler: GradScaler
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
    setback: int = 0
    health: Health = field(default_factory=Health)
    best: Best | None = None

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

    def count_step(self) -> None:
        """Count a step that is taken."""
        self.step, self.done = self.step + 1, self.done + 1

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

    def halve_rates(self) -> None:
        """Halve the learning rates of this step and of all that come."""
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = group["lr"] / 2
        for schedule in self.schedules.values():
            schedule.base_lrs = [rate / 2 for rate in schedule.base_lrs]

    def tree(self, ranks: Ranks) -> Tree:
        """A copy of the state for the first process, in main memory. All processes call this together."""
        networks = self.networks.state_dict()
        floats = {name: value for name, value in self.networks.named_buffers() if value.is_floating_point()}
        means = ranks.mean(list(floats.values()))
        optimizers = {name: _state_of(one, ranks) for name, one in self.optimizers.items()}
        states = ranks.gather(f"generators {self.step} {self.setback}", generators(self.device))
        if not ranks.is_first:
            return None
        return copied(
            {
                "networks": networks | dict(zip(floats, means, strict=True)),
                "optimizers": optimizers,
                "schedules": {name: one.state_dict() for name, one in self.schedules.items()},
                "scaler": self.scaler.state_dict(),
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
                "setback": self.setback,
                "health": asdict(self.health),
                "best": self.best and vars(self.best),
            }
        )

    def take_over(self, tree: Tree, ranks: Ranks, seed: int) -> None:
        """Go on from a state that `tree` made. If as many processes had made it, the generators go on too;
        else they begin anew, each in another way. Raises Rejected if it is the state of another training;
        then this one may be half changed."""
        try:
            self.networks.load_state_dict(tree["networks"])
            for name, optimizer in self.optimizers.items():
                saved = tree["optimizers"][name]
                own = ranks.own_state(optimizer, saved["state"])
                take_over_optimizer(optimizer, {**saved, "state": own})
            for name, schedule in self.schedules.items():
                schedule.load_state_dict(tree["schedules"][name])
            if self.scaler.is_enabled() and tree["scaler"]:  # empty from a device of another precision
                self.scaler.load_state_dict(tree["scaler"])
            self.epoch_order = tree["epoch_order"]
            self.epoch, self.done, self.step = tree["place"]
            self.sums = {name: one.to(self.device) for name, one in tree["sums"].items()}
            self.losses, self.pictures, self.notes = tree["losses"], tree["pictures"], tree["notes"]
            self.curve = [CurvePoint(**point) for point in tree["curve"]]
            self.counted = {name: one.to(self.device) for name, one in tree["counted"].items()}
            self.resumed, self.setback = tree["resumed"], tree["setback"]
            self.health, self.best = health_of(tree["health"]), best_of(tree["best"])
            states = tree["generators"]
        except (ValueError, TypeError, LookupError, RuntimeError, AttributeError) as error:
            raise Rejected("its state is of another training: other networks, or other parts") from error
        if len(states) == ranks.world:
            restore_generators(states[ranks.rank], self.device)
        else:
            ranks.reseed(seed + self.step)


def begin_training(task: Task, keeper: StateKeeper) -> TrainingState:
    """The state from which this attempt goes on. Raises Unavailable as `restore` does."""
    now, saved = restore(task, keeper)
    if saved:
        keeper.resume(saved)
        now.resumed.append(saved.step)
    return now


def restore(task: Task, keeper: StateKeeper) -> tuple[TrainingState, Saved | None]:
    """The newest state that was kept and fits, or that before the first step and None. Raises Unavailable if
    the processes have not found the same one."""
    ranks, found = task.ranks, None
    now = _fresh(task)
    for saved in keeper.saved():
        try:
            now.take_over(saved.tree, ranks, task.config.seed)
        except Rejected as error:
            keeper.pass_over(saved.step, error)
            now = _fresh(task)
        else:
            found = saved
            break
    (steps,) = ranks.add_up(now.step, device=task.device)
    if steps != now.step * ranks.world:
        raise Unavailable("the processes of the training have found different checkpoints")
    return now, found


def _fresh(task: Task) -> TrainingState:
    family, config, device = task.family, task.config, task.device
    seed_generators(config.seed)
    order = torch.Generator().manual_seed(config.seed)
    networks = family.build(config, task.examples.about).to(device)
    task.ranks.begin(networks, config.seed)
    lay_out(networks, task.how)
    optimizers = family.optimizers(networks, config)
    for one in optimizers.values():
        fuse(one, task.how)
    schedules = {
        name: LambdaLR(optimizer, lambda taken: family.rate(min(taken / task.steps, 1.0), config))
        for name, optimizer in optimizers.items()
    }
    scaler = GradScaler(device.type, enabled=task.how.scales)
    return TrainingState(networks, optimizers, schedules, device, scaler, order, order.get_state())


def _state_of(optimizer: torch.optim.Optimizer, ranks: Ranks) -> dict[str, Any]:
    found = optimizer.state_dict()
    states = copied(found["state"]) if ranks.shard else found["state"]
    return {**found, "state": ranks.whole_state(states)}


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if math.isfinite(value)}
