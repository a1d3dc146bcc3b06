"""The memory that a predictor has for requests, and how they share it.

A request that takes too much is refused, so that no client can have the process killed. One part is for
bodies, which arrive whether we can use them or not. The other part is for the work on them.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from knoll.errors import InvalidInstance, Unavailable
from knoll.quantities import in_words

__all__ = ["MemoryBudget", "MemoryShares", "share"]

_SMALL = 2**20  # bytes that are taken without asking
_PATIENCE = 5.0  # seconds
_LOOK = 0.1  # seconds between two looks whether the client still waits
_SPARE = (
    8  # one part of the limit in so many is for what is not counted: small requests, the graph, fragments
)
_LEAST = 16 * 2**20
_COPIES = 3  # of a body while it is read: its parts, the whole, its texts
_FOR_BODIES = 0.4


@dataclass(frozen=True)
class MemoryShares:
    """Bytes: all bodies together, and all work on them at a time."""

    bodies: int
    work: int


def share(limit: int, held: int, most_bodies: int) -> MemoryShares:
    """How the memory of a process is shared that may take `limit` bytes and has `held` already."""
    free = max(limit - held - limit // _SPARE, _LEAST)
    bodies = min(most_bodies, int(free * _FOR_BODIES) // _COPIES)
    return MemoryShares(bodies, free - _COPIES * bodies)


class MemoryBudget:
    """At most `limit` bytes at a time, for all threads together."""

    def __init__(self, limit: int) -> None:
        self.limit, self.held = limit, 0
        self._given = threading.Condition()

    def take(self, size: int, check: Callable[[], None]) -> None:
        """Hold `size` bytes more, and wait for them some seconds; `check` is called meanwhile, and may raise.

        Raises InvalidInstance if there will never be so many, Unavailable if others hold them for too long.
        """
        if size > self.limit:
            raise InvalidInstance(
                f"this takes {in_words(size)} of memory, and requests may take {in_words(self.limit)}",
                fix="make it smaller, or give the model more memory: spec.serving.resources.memory",
            )
        if size <= _SMALL:
            return
        until = time.monotonic() + _PATIENCE
        with self._given:
            while self.held + size > self.limit:
                check()
                if time.monotonic() > until:
                    raise Unavailable(
                        f"other requests take the {in_words(self.limit)} of memory that there is",
                        fix="try again in a moment",
                    )
                self._given.wait(_LOOK)
            self.held += size

    def give(self, size: int) -> None:
        """Let go of bytes that were taken."""
        if size > _SMALL:
            with self._given:
                self.held -= size
                self._given.notify_all()
