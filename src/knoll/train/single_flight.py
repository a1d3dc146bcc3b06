"""Passes over one state, one at a time in a process. All threads that ask during a pass share the next one.

So a hundred events at once cost a few passes, and no two threads act on the same old state. Other processes
have passes of their own: between processes, a conditional write or the API server decides.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

__all__ = ["SingleFlight"]


class SingleFlight:
    """Tickets are numbers in the order of asking. A pass that succeeds covers all tickets from before it."""

    def __init__(self) -> None:
        # Not a Lock: schedules hold a call up, and may lead a thread in a pass back here.
        self._turn = threading.RLock()
        self._tickets = count(1)
        self._newest = self._covered = 0

    def ticket(self) -> int:
        """A number for a thread that has something new."""
        self._newest = ticket = next(self._tickets)
        return ticket

    def is_newest(self, ticket: int) -> bool:
        """Whether no other thread has asked since. If two ask at the same moment, both may be told yes."""
        return ticket >= self._newest

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Keep the passes of all other threads out of this block."""
        with self._turn:
            yield

    def share(self, ticket: int, act: Callable[[], None]) -> None:
        """Do a pass, unless one has succeeded that began after the ticket was given."""
        with self._turn:
            if ticket <= self._covered:
                return
            newest = self.ticket()
            act()
            self._covered = max(self._covered, newest)
