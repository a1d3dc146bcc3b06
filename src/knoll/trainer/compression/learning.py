"""More learning after the training, for a graph that needs it: the same data, in the same batches."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from knoll.families.base import Batch
from knoll.trainer.compression.subject import Subject
from knoll.trainer.generators import borrowed_generators
from knoll.trainer.ranks import ALONE
from knoll.trainer.task import Task

__all__ = ["learn_more", "own_losses"]

# Losses of networks, of rows of the training data on their device
Losses = Callable[[Task, nn.ModuleDict, Batch], Iterator[tuple[str, torch.Tensor]]]


def own_losses(task: Task, networks: nn.ModuleDict, rows: Batch) -> Iterator[tuple[str, torch.Tensor]]:
    """Those of the family, of examples that are changed at random as in its training."""
    return task.losses(networks, task.family.augment(task.family.prepare(rows, task.config), task.config))


def learn_more(
    subject: Subject,
    networks: nn.ModuleDict,
    config: Any,
    epochs: int,
    losses: Losses = own_losses,
    mend: Callable[[], None] = lambda: None,
) -> None:
    """Train the networks, on the device, for so many epochs, with the losses of their family or with others.
    After each step `mend` may change their weights. They end in eval mode on the CPU."""
    family, count = subject.family, len(subject.examples.train[0])
    config = config.model_copy(update={"epochs": epochs})
    task = Task(family, subject.examples, config, subject.device, ALONE)
    optimizers, order = (
        family.optimizers(networks, config),
        torch.Generator().manual_seed(config.seed % 2**63),
    )
    rates = {name: [group["lr"] for group in one.param_groups] for name, one in optimizers.items()}
    step = 0
    networks.train()
    with torch.enable_grad(), borrowed_generators(config.seed, subject.device):
        for _ in range(epochs):
            some = torch.tensor_split(torch.randperm(count, generator=order), task.per_epoch)
            for batch, _ in task.shares(some):
                for name, loss in losses(task, networks, batch):
                    for group, rate in zip(optimizers[name].param_groups, rates[name], strict=True):
                        group["lr"] = rate * family.rate(step / task.steps, config)
                    optimizers[name].zero_grad(set_to_none=True)
                    loss.backward()  # type: ignore[no-untyped-call]
                    optimizers[name].step()
                mend()
                step += 1
    networks.eval().cpu()
