"""One step of a training: the losses of a batch in turn, each with the step of its optimiser."""

import torch

from knoll.families.base import Batch
from knoll.trainer.task import Task
from knoll.trainer.training_state import TrainingState

__all__ = ["take_step"]


def take_step(task: Task, now: TrainingState, batch: Batch, share: float) -> None:
    """Learn from these examples on the device, which are a share of the batch of all processes. The losses
    stay on the device."""
    batch = task.family.augment(task.family.prepare(batch, task.config), task.config)
    for name, loss in task.losses(now.networks, batch):
        if name not in now.optimizers:
            family, known = type(task.family).__name__, ", ".join(now.optimizers)
            raise TypeError(f"{family}: losses yields {name!r}, and build has: {known}")
        optimizer = now.optimizers[name]
        optimizer.zero_grad(set_to_none=True)
        now.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        mean = task.ranks.average(optimizer, loss, share)
        now.scaler.step(optimizer)
        now.scaler.update()
        now.schedules[name].step()
        told = torch.nan_to_num(mean, 0, 0, 0) if task.scales else mean  # of a step that was skipped
        now.sums[name] = now.sums[name] + told if name in now.sums else told
    now.step, now.done = now.step + 1, now.done + 1
