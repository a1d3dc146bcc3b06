"""Steps that a GPU has recorded as CUDA graphs, and repeats without Python, which may be slower than it is.

There is a graph for each loss of a batch, from its examples to its gradients. Between them the optimisers
step as ever, so learning rates, skipped steps and several processes need nothing of their own. What a
graph reads and writes stays where it was when it was recorded, as
https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs says.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from knoll.families.base import Batch
from knoll.trainer.acceleration import WARM_UPS
from knoll.trainer.report import leave_out
from knoll.trainer.steps import advance, find_gradients, losses_of, take_step
from knoll.trainer.task import Task
from knoll.trainer.training_state import TrainingState

__all__ = ["RecordedSteps"]

_NOTHING = "CUDA Graph is empty"  # says torch

_Shapes = tuple[torch.Size, ...]


@dataclass(frozen=True)
class _Part:
    """The graph of a loss, with the place of the loss and those of its gradients. Without a name, it is that
    of what a family does after its last loss."""

    graph: torch.cuda.CUDAGraph
    name: str = ""
    loss: torch.Tensor | None = None
    gradients: Sequence[tuple[nn.Parameter, torch.Tensor | None]] = ()


@dataclass(frozen=True)
class _Recording:
    """The parts of a step, which read their examples from `batch`."""

    batch: Batch
    parts: Sequence[_Part]


class RecordedSteps:
    """Takes steps. Those with batches of one size are recorded after some of them."""

    def __init__(
        self, task: Task, now: TrainingState, networks: nn.ModuleDict, say: Callable[[str], None]
    ) -> None:
        self._task, self._now, self._networks, self._say = task, now, networks, say
        self._stream = torch.cuda.Stream(task.device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()
        self._taken: Counter[_Shapes] = Counter()
        self._recorded: dict[_Shapes, _Recording] = {}
        self._has_failed = False

    def take(self, batch: Batch, share: float) -> None:
        """Learn from these examples, as `take_step` does."""
        shapes = tuple(one.shape for one in batch)
        if self._taken[shapes] == WARM_UPS and not self._has_failed:
            self._record(shapes, batch)
        self._taken[shapes] += 1
        if shapes in self._recorded:
            self._repeat(self._recorded[shapes], batch, share)
        else:
            self._take_plainly(batch, share)

    def _take_plainly(self, batch: Batch, share: float) -> None:
        """On the stream that records steps: gradients are bound to the one that has first needed them."""
        before = torch.cuda.current_stream(self._task.device)
        self._stream.wait_stream(before)
        with torch.cuda.stream(self._stream):
            take_step(self._task, self._now, self._networks, batch, share)
        before.wait_stream(self._stream)

    def _record(self, shapes: _Shapes, batch: Batch) -> None:
        """Record a step, which is not taken by that. If it cannot be recorded, none is any more."""
        learnt = [(one, one.requires_grad) for one in self._now.networks.parameters()]
        with leave_out("cudaGraphs", self._say, self._now.notes):
            still = tuple(one.clone() for one in batch)
            parts = tuple(self._parts(losses_of(self._task, self._networks, still)))
            self._recorded[shapes] = _Recording(still, parts)
            return
        self._has_failed = True
        for weights, is_learnt in learnt:
            weights.requires_grad_(is_learnt)

    def _parts(self, losses: Iterator[tuple[str, torch.Tensor]]) -> Iterator[_Part]:
        """A part for each loss, and one for what follows the last one, if anything does."""
        name = None
        while name != "":
            graph = torch.cuda.CUDAGraph()
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                # the threads of torch.distributed may talk to the GPU meanwhile
                with torch.cuda.graph(graph, self._pool, self._stream, capture_error_mode="thread_local"):
                    name, loss = next(losses, ("", None))
                    if loss is not None:
                        find_gradients(self._task, self._now, name, loss)
            if not any(_NOTHING in str(one.message) for one in said):
                yield _Part(graph, name, None if loss is None else loss.detach(), self._gradients(name))

    def _gradients(self, name: str) -> Sequence[tuple[nn.Parameter, torch.Tensor | None]]:
        groups = self._now.optimizers[name].param_groups if name else []
        return [(one, one.grad) for group in groups for one in group["params"]]

    def _repeat(self, recording: _Recording, batch: Batch, share: float) -> None:
        for mine, theirs in zip(recording.batch, batch, strict=True):
            mine.copy_(theirs)
        for part in recording.parts:
            for weights, gradient in part.gradients:
                weights.grad = gradient
            part.graph.replay()
            if part.loss is not None:
                advance(self._task, self._now, part.name, part.loss, share)
        self._now.count_step()
