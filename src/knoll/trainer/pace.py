"""The time of a training: how long its steps take, and after which of them it is looked at."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from knoll.trainer.checkpoints import StateKeeper
from knoll.trainer.divergence import check_losses, check_state
from knoll.trainer.stopping import Terminated
from knoll.trainer.task import Task
from knoll.trainer.training_state import TrainingState

__all__ = ["Looks", "StepPace"]

_REPORT_SECONDS = 1.0
_LOOK_SECONDS = 0.25
_SMOOTHING = 0.1  # of the seconds per step

_Batch = TypeVar("_Batch")


class StepPace:
    """Seconds per step and how many of them it waits for its examples, and when the next report is due. The
    seconds are exponential moving averages without the first step, which is slower. A step has so many
    `examples` on average."""

    def __init__(self, examples: float = 1.0) -> None:
        self._last = self._reported = time.monotonic()
        self._steps, self._examples = 0, examples
        self._seconds = self._waited = self._wait = 0.0

    def waiting_for(self, batches: Iterable[_Batch]) -> Iterator[_Batch]:
        """The batches. The time that each takes is that in which its step waits."""
        source = iter(batches)
        while True:
            began = time.monotonic()
            batch = next(source, None)
            self._wait = time.monotonic() - began
            if batch is None:
                return
            yield batch

    def step(self) -> None:
        present = time.monotonic()
        took, self._last = present - self._last, present
        self._steps += 1
        share = 1.0 if self._steps <= 2 else _SMOOTHING
        self._seconds += share * (took - self._seconds)
        self._waited += share * (self._wait - self._waited)

    def speed(self) -> tuple[float | None, float | None]:
        """Examples per second, and the share of that time in which the steps wait; None after one step."""
        if self._steps < 2 or self._seconds <= 0:
            return None, None
        return self._examples / self._seconds, min(1.0, self._waited / self._seconds)

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
    """Looks after a step whether the losses are finite, whether to keep the state, and whether to stop.
    Losses, and all else if there are several processes, are looked at about four times a second, since that
    takes time. If it `owes` a state, it keeps the first one that it sees."""

    def __init__(
        self, task: Task, keeper: StateKeeper, is_asked_to_stop: Callable[[], bool], *, owes: bool = False
    ) -> None:
        self._task, self._keeper, self._stop, self._owes = task, keeper, is_asked_to_stop, owes
        self._next = 1

    def look(self, now: TrainingState, pace: StepPace) -> None:
        """Keep the state if that is due. Raises Terminated if one of the processes is asked to stop, and
        Diverged."""
        ranks = self._task.ranks
        is_turn, first = now.step >= self._next, ranks.is_first
        if not is_turn and ranks.world > 1:
            return
        wishes = self._stop(), first and self._keeper.is_due(), pace.steps_in(_LOOK_SECONDS) if first else 0
        stops, is_due, gap = ranks.add_up(*wishes, device=self._task.device)
        if is_turn:
            self._next = now.step + max(1, int(gap))
            check_losses(now)
        if stops or is_due or self._owes:
            self._keep(now)
        if stops:
            raise Terminated

    def _keep(self, now: TrainingState) -> None:
        check_state(self._task, now)
        tree = now.tree(self._task.ranks)
        if self._task.ranks.is_first:
            self._keeper.keep(tree, now.step, self._task.steps)
        self._owes = False
