"""Numbers of a training that are not finite, and the second chance that it gets once.

A loss that is not finite spoils the weights, and such a gradient spoils the state of its optimiser. So the
losses are looked at often, which costs nearly nothing, and all the rest before it is kept.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch

from knoll.errors import Rejected
from knoll.records.curves import CurvePoint
from knoll.trainer.checkpoints import StateKeeper
from knoll.trainer.task import Task
from knoll.trainer.training_state import TrainingState, restore

__all__ = ["Diverged", "check_losses", "check_state", "go_back", "means_of"]

_LEAST_SCALE = 1.0  # of gradients: fp16 overflows without any scaling, too


class Diverged(Rejected):
    """A number of the training is not finite `by_step`. `curve` has its losses before. The same data and
    config would end in the same way."""

    def __init__(
        self, what: str, by_step: int, curve: Sequence[CurvePoint] = (), advice: str = "lower learningRate"
    ) -> None:
        super().__init__(
            f"training diverged: {what}", fix=f"{advice}, or look for extreme values in the data"
        )
        self.what, self.by_step, self.curve = what, by_step, tuple(curve)


def means_of(now: TrainingState) -> dict[str, float]:
    """The mean losses of the epoch's steps so far; they may not be finite."""
    return {name: total.item() / max(1, now.done) for name, total in now.sums.items()}


def check_losses(now: TrainingState) -> None:
    """Raise Diverged if a loss since the beginning of the epoch was not finite. All processes of a training
    find the same."""
    for name, mean in means_of(now).items():
        if not math.isfinite(mean):
            raise Diverged(f"the {name} loss is {mean} by step {now.step}", now.step)
    if now.scaler.is_enabled() and now.scaler.get_scale() < _LEAST_SCALE:
        raise Diverged(f"no gradient is finite any more by step {now.step}", now.step)


def check_state(task: Task, now: TrainingState) -> None:
    """Raise Diverged if any number that a checkpoint would keep is not finite. All processes call this
    together."""
    check_losses(now)
    spoilt = next(_not_finite(now), "")
    (faults,) = task.ranks.add_up(bool(spoilt), device=task.device)
    if faults:
        raise Diverged(
            f"{spoilt or 'a number of another process'} is not finite by step {now.step}", now.step
        )


def go_back(
    task: Task, keeper: StateKeeper, now: TrainingState, error: Diverged, warn: Callable[[str], None]
) -> TrainingState:
    """The state after the newest checkpoint, or that before the first step, with half the rates. Raises
    Diverged if the training has gone back before."""
    if now.setback:
        what = f"{error.what}, after it had gone back from step {now.setback} with half the learning rate"
        advice = f"set learningRate below {task.config.learning_rate / 2:g}"
        raise Diverged(what, error.by_step, now.curve, advice) from error
    for optimizer in now.optimizers.values():  # two trainings need not fit into the memory
        optimizer.zero_grad()
        optimizer.state.clear()
    keeper.finish()
    task.ranks.add_up(0, device=task.device)  # nobody reads a checkpoint before it is written
    again, _ = restore(task, keeper)
    again.halve_rates()
    again.setback = error.by_step
    told = f"{error}; it went back to step {again.step}, and on with half the learning rate"
    warn(told)
    again.notes.append(told)
    return again


def _not_finite(now: TrainingState) -> Iterator[str]:
    """The names of tensors with a number that is not finite."""
    named = dict(_floats(now))
    flags = torch.stack([torch.isfinite(one).all() for one in named.values()]).tolist() if named else []
    yield from (name for name, is_finite in zip(named, flags, strict=True) if not is_finite)


def _floats(now: TrainingState) -> Iterator[tuple[str, torch.Tensor]]:
    values: Mapping[str, torch.Tensor] = now.networks.state_dict()
    yield from ((name, one.detach()) for name, one in values.items() if one.is_floating_point())
    for name, optimizer in now.optimizers.items():
        for number, state in enumerate(optimizer.state.values()):
            for key, one in state.items():
                if isinstance(one, torch.Tensor) and one.is_floating_point():
                    yield f"{key} {number} of the optimiser of {name}", one.to(now.device)
