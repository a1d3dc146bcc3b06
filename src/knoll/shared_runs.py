"""Runs of a graph that several requests share.

Nobody waits for others to come: an example that finds the graph idle is run at once. What comes while it runs
waits for its end, and what waits is then run together, as far as it has the same shapes. So a shared run
costs a request no more time than its turn would.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SharedRuns"]

_LOOK = 0.02  # seconds between two looks whether the client still waits
_ByName = Mapping[str, NDArray[Any]]
_RunBatch = Callable[[_ByName], _ByName]
_Running = Callable[[], AbstractContextManager[object]]


@dataclass(eq=False)
class _Guest:
    """Examples of one request. It is woken when they have been run, or when it is to run those that wait."""

    inputs: _ByName
    running: _Running
    woken: Event = field(default_factory=Event)
    leads: bool = False
    outputs: _ByName | None = None
    error: Exception | None = None

    @property
    def size(self) -> int:
        return len(next(iter(self.inputs.values())))

    @property
    def shapes(self) -> Any:
        return {name: (one.shape[1:], one.dtype) for name, one in self.inputs.items()}


class SharedRuns:
    """Threads share it. `run` takes inputs (B, ...) by name to outputs (B, ...), and `most` says how many
    examples it takes at once. `sizes` counts the runs by the number of requests that shared them."""

    def __init__(self, run: _RunBatch, most: Callable[[], int]) -> None:
        self._run, self._most = run, most
        self._lock, self._waiting, self._is_led = Lock(), deque[_Guest](), False
        self.sizes: Counter[int] = Counter()

    def run(
        self, inputs: _ByName, running: _Running = nullcontext, check: Callable[[], None] = lambda: None
    ) -> _ByName:
        """The outputs for these inputs alone, and the error of these alone. It is inside `running` while the
        graph runs. `check` is called while others are run; what it raises takes these inputs out."""
        mine = _Guest(inputs, running)
        with self._lock:
            self._waiting.append(mine)
            mine.leads, self._is_led = not self._is_led, True
        while not (mine.leads or mine.woken.wait(_LOOK)):
            try:
                check()
            except BaseException:
                self._leave(mine)
                raise
        if mine.leads:
            self._lead()
        if mine.error:
            raise mine.error
        assert mine.outputs is not None
        return mine.outputs

    def _leave(self, mine: _Guest) -> None:
        """Without it. If its turn has just come, another one leads."""
        with self._lock:
            if mine in self._waiting:
                self._waiting.remove(mine)
            if mine.leads:
                self._let_lead()

    def _lead(self) -> None:
        """Run the first that waits, with all that fit to it. It is always the leader itself."""
        with self._lock:
            guests = self._take_fitting()
            self.sizes[len(guests)] += 1
        try:
            self._run_together(guests) if len(guests) > 1 else self._run_alone(guests[0])
        finally:
            with self._lock:
                self._let_lead()
            for one in guests:
                one.woken.set()

    def _let_lead(self) -> None:
        self._is_led = bool(self._waiting)
        if self._waiting:
            self._waiting[0].leads = True
            self._waiting[0].woken.set()

    def _take_fitting(self) -> list[_Guest]:
        first = self._waiting.popleft()
        guests, left = [first], self._most() - first.size
        for one in [*self._waiting]:
            if one.size <= left and one.shapes == first.shapes:
                self._waiting.remove(one)
                guests.append(one)
                left -= one.size
        return guests

    def _run_together(self, guests: list[_Guest]) -> None:
        """Run them at once. If that fails, each is run alone, so that a bad one fails alone."""
        names = guests[0].inputs
        try:
            with ExitStack() as stack:
                for one in guests:
                    stack.enter_context(one.running())
                outputs = self._run(
                    {name: np.concatenate([one.inputs[name] for one in guests]) for name in names}
                )
            _share_out(guests, outputs)
        except Exception:
            for one in guests:
                self._run_alone(one)

    def _run_alone(self, one: _Guest) -> None:
        try:
            with one.running():
                one.outputs = self._run(one.inputs)
        except Exception as error:
            one.error = error


def _share_out(guests: list[_Guest], outputs: _ByName) -> None:
    """Raises ValueError if the outputs are not one for each example."""
    ends = np.cumsum([one.size for one in guests])
    if any(len(output) != ends[-1] for output in outputs.values()):
        raise ValueError("the graph gives not one output for each example")
    for one, end in zip(guests, ends, strict=True):
        one.outputs = {name: output[end - one.size : end] for name, output in outputs.items()}
