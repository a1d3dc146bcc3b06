"""Passes over one state, one at a time in a process: who asks while one goes on shares the next, with all who
ask meanwhile.

A hundred events at once then cost a few passes, and no two threads act on what both of them saw before either
had acted. Other processes know nothing of it: what must hold for them, too, a conditional write or the API
server decides.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from weakref import WeakKeyDictionary

from knoll.ports import Cluster

__all__ = ["SingleFlight", "single_flight"]


class SingleFlight:
    """Tickets are numbers in the order of asking: a pass covers all that were given before it began, if it
    succeeds."""

    def __init__(self) -> None:
        self._turn = (
            threading.RLock()
        )  # not Lock: a thread in a pass may be led back here, as schedules do that hold a call up
        self._tickets = count(1)
        self._newest = self._covered = 0

    def ticket(self) -> int:
        """A number for whoever has something new to tell."""
        self._newest = ticket = next(self._tickets)
        return ticket

    def is_newest(self, ticket: int) -> bool:
        """Whether nobody has asked since; when two ask at the same moment, either may be told so."""
        return ticket >= self._newest

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Nobody else's pass goes on in this block."""
        with self._turn:
            yield

    def share(self, ticket: int, act: Callable[[], None]) -> None:
        """Do a pass, unless one that began after the ticket was given has been done; one that raised has not
        been."""
        with self._turn:
            if ticket <= self._covered:
                return
            newest = self.ticket()
            act()
            self._covered = max(self._covered, newest)


_LOCK = threading.Lock()
_FLIGHTS: WeakKeyDictionary[Cluster, SingleFlight] = WeakKeyDictionary()


def single_flight(cluster: Cluster) -> SingleFlight:
    """The one of this process for these documents."""
    with _LOCK:
        return _FLIGHTS.setdefault(cluster, SingleFlight())
