"""One step of a training: the losses of a batch in turn, each with the step of its optimiser."""

from collections.abc import Iterator

import torch
from torch import nn

from knoll.families.base import Batch
from knoll.trainer.device import in_layout
from knoll.trainer.task import Task
from knoll.trainer.training_state import TrainingState

__all__ = ["advance", "find_gradients", "losses_of", "take_step"]


def take_step(task: Task, now: TrainingState, networks: nn.ModuleDict, batch: Batch, share: float) -> None:
    """Learn from these examples on the device, which are a share of the batch of all processes. The losses
    stay on the device. `networks` are those of the state, or a faster form of them."""
    for name, loss in losses_of(task, networks, batch):
        find_gradients(task, now, name, loss)
        advance(task, now, name, loss, share)
    now.count_step()


def losses_of(task: Task, networks: nn.ModuleDict, batch: Batch) -> Iterator[tuple[str, torch.Tensor]]:
    """The losses of these examples in turn, of which each is learnt before the next is asked for."""
    changed = task.family.augment(task.family.prepare(batch, task.config), task.config)
    yield from task.losses(networks, in_layout(changed, task.how))


def find_gradients(task: Task, now: TrainingState, name: str, loss: torch.Tensor) -> None:
    """Those of the loss, in place of the ones before."""
    if name not in now.optimizers:
        family, known = type(task.family).__name__, ", ".join(now.optimizers)
        raise TypeError(f"{family}: losses yields {name!r}, and build has: {known}")
    now.optimizers[name].zero_grad(set_to_none=True)
    now.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]


def advance(task: Task, now: TrainingState, name: str, loss: torch.Tensor, share: float) -> None:
    """Take the step of the optimiser, together with the other processes."""
    optimizer = now.optimizers[name]
    mean = task.ranks.average(optimizer, loss, share)
    now.scaler.step(optimizer)
    now.scaler.update()
    task.ranks.spread(optimizer)
    now.schedules[name].step()
    told = torch.nan_to_num(mean, 0, 0, 0) if task.how.scales else mean  # of a step that was skipped
    now.sums[name] = now.sums[name] + told if name in now.sums else told
