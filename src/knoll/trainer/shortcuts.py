"""Two ways around Python: networks that torch.compile translates, and steps that a GPU has recorded.

Each is tried first. If it fails, the training does without it, and says why.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import cast

import torch
from torch import nn

from knoll.families.base import Batch
from knoll.trainer.generators import borrowed_generators
from knoll.trainer.recording import RecordedSteps
from knoll.trainer.report import leave_out
from knoll.trainer.steps import losses_of, take_step
from knoll.trainer.task import Task
from knoll.trainer.training_state import TrainingState

__all__ = ["TakeStep", "step_taker"]

TakeStep = Callable[[Batch, float], None]  # of examples on the device, and which part of a batch they are
_Say = Callable[[str], None]


def step_taker(task: Task, now: TrainingState, say: _Say) -> TakeStep:
    """What takes the steps of the training."""
    if not task.how.compiles and not task.how.graphs:
        return partial(take_step, task, now, now.networks)
    return _Shortcuts(task, now, say).take


class _Shortcuts:
    """Takes steps by them. They are made when the first batch is there."""

    def __init__(self, task: Task, now: TrainingState, say: _Say) -> None:
        self._task, self._now, self._say = task, now, say
        self._take: TakeStep | None = None

    def take(self, batch: Batch, share: float) -> None:
        """See `TakeStep`."""
        self._take = self._take or self._shortest(batch)
        self._take(batch, share)

    def _shortest(self, batch: Batch) -> TakeStep:
        task, now, say = self._task, self._now, self._say
        networks = _compiled(task, now, batch, say) if task.how.compiles else now.networks
        if task.how.graphs:
            return RecordedSteps(task, now, networks, say).take
        return partial(take_step, task, now, networks)


def _compiled(task: Task, now: TrainingState, batch: Batch, say: _Say) -> nn.ModuleDict:
    """The networks with the same weights, translated; as they are if that fails with this batch."""
    with leave_out("compile", say, now.notes), _without_trace(task, now):
        # a size of its own for each batch: there are two or three, and a graph of CUDA has one
        networks = nn.ModuleDict()
        for name, one in now.networks.items():
            networks[name] = cast(nn.Module, torch.compile(one, dynamic=False))
        for _, loss in losses_of(task, networks, batch):
            loss.backward()  # type: ignore[no-untyped-call]
        return networks
    return now.networks


@contextmanager
def _without_trace(task: Task, now: TrainingState) -> Iterator[None]:
    """What is computed in this block changes neither weights nor random numbers."""
    buffers = {name: one.clone() for name, one in now.networks.named_buffers()}
    learnt = [(one, one.requires_grad) for one in now.networks.parameters()]
    try:
        with borrowed_generators(task.config.seed, task.device):
            yield
    finally:
        for name, one in now.networks.named_buffers():
            one.copy_(buffers[name])
        for weights, is_learnt in learnt:
            weights.requires_grad_(is_learnt).grad = None
