"""The time of a training: how long its steps take, and after which of them it is looked at."""

import time
from collections.abc import Callable

import torch

from knoll.trainer.checkpoints import StateKeeper
from knoll.trainer.ranks import Ranks
from knoll.trainer.stopping import Terminated
from knoll.trainer.training_state import TrainingState

__all__ = ["Looks", "StepPace"]

_REPORT_SECONDS = 1.0
_LOOK_SECONDS = 0.25
_SMOOTHING = 0.1  # of the seconds per step


class StepPace:
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

    def steps_in(self, seconds: float) -> int:
        """How many steps take so long."""
        return int(seconds / self._seconds) if self._seconds > 0 else 1

    def seconds_left(self, steps: int) -> int | None:
        return round(self._seconds * steps) if self._steps > 1 else None


class Looks:
    """Looks after a step whether to keep the state, and whether to stop. Several
    processes look after the same steps, about four times a second, since looking together takes time."""

    def __init__(
        self, ranks: Ranks, keeper: StateKeeper, is_asked_to_stop: Callable[[], bool], device: torch.device
    ) -> None:
        self._ranks, self._keeper, self._stop, self._device = ranks, keeper, is_asked_to_stop, device
        self._next = 1

    def look(self, now: TrainingState, total: int, pace: StepPace) -> None:
        """Keep the state if that is due. Raises Terminated if one of the processes is asked to stop."""
        if now.step < self._next:
            return
        first = self._ranks.is_first
        wishes = self._stop(), first and self._keeper.is_due(), pace.steps_in(_LOOK_SECONDS) if first else 0
        stops, is_due, gap = self._ranks.add_up(*wishes, device=self._device)
        self._next = now.step + (max(1, int(gap)) if self._ranks.world > 1 else 1)
        if stops or is_due:
            tree = now.tree(self._ranks)
            if first:
                self._keeper.keep(tree, now.step, total)
        if stops:
            raise Terminated
