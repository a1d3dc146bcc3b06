"""The work on one request: it ends when its client has gone, or when its pictures take too long."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from knoll.codecs import Reading
from knoll.errors import InvalidInstance
from knoll.predict.bins import Shown
from knoll.predict.memory_budget import MemoryBudget

__all__ = ["LONGEST_RUN", "ClientGone", "Work"]

LONGEST_RUN = "knoll.longest_run"  # in the message that starts an answer

_DECODING = 20.0  # seconds that the instances of one request may take to be read
_UNBOUNDED = 2**62


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


class Work:
    """Work in a thread of the pool, which the event loop cancels and ends. `memory` is what it shares with
    other work. `shown` is what the version has answered, if it came to that. `longest_run` are the seconds of
    the longest run of its graph."""

    def __init__(self, memory: MemoryBudget | None = None, decoding: float = _DECODING) -> None:
        self._is_cancelled, self._decoding, self._spent = False, decoding, 0.0
        self._since: float | None = None
        self.shown: Shown | None = None
        self.longest_run = 0.0
        self._memory, self._kept = memory or MemoryBudget(_UNBOUNDED), ExitStack()

    def cancel(self) -> None:
        """Let the next check end the work."""
        self._is_cancelled = True

    def end(self) -> None:
        """Let go of the memory that was kept."""
        self._kept.close()

    def check(self) -> None:
        """Raises ClientGone after `cancel`, and InvalidInstance if reading took too long."""
        if self._is_cancelled:
            raise ClientGone
        running = 0.0 if self._since is None else time.perf_counter() - self._since
        if self._spent + running > self._decoding:
            raise InvalidInstance(
                f"reading its instances takes more than {self._decoding:g} s",
                fix="send fewer instances at a time, or smaller pictures",
            )

    @contextmanager
    def reading(self) -> Iterator[None]:
        """The time that is spent inside counts as reading."""
        self._since = time.perf_counter()
        try:
            yield
        finally:
            self._spent += time.perf_counter() - self._since
            self._since = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """The time that is spent inside is a run of the graph."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.longest_run = max(self.longest_run, time.perf_counter() - began)

    @contextmanager
    def room(self, size: int) -> Iterator[None]:
        """Inside, `size` bytes of memory are held; waiting for them is no reading.

        Raises as `MemoryBudget.take` and `check`.
        """
        began = time.perf_counter()
        try:
            self._memory.take(size, self.check)
        finally:
            self._spent -= time.perf_counter() - began if self._since is not None else 0.0
        try:
            yield
        finally:
            self._memory.give(size)

    def limits(self, warn: Callable[[str], None] = lambda _: None) -> Reading:
        """What ends the reading of instances, and the memory for it."""
        return Reading(warn, self.check, self.room)

    def keep(self, size: int) -> None:
        """Hold `size` bytes until the end. Raises as `room`."""
        self._kept.enter_context(self.room(size))
