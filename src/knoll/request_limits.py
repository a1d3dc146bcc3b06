"""The limits and statuses of predict requests, which clients, predictors and routers share."""

from collections.abc import Hashable
from typing import Generic, TypeVar

from knoll.errors import Unavailable

__all__ = [
    "ARRIVES_WITHIN",
    "BODIES_LIMIT",
    "BODY_LIMIT",
    "CLIENT_GONE",
    "COUNTED_BEFORE",
    "RETRY_SECONDS",
    "ByteBudget",
    "WaitingRoom",
]

BODY_LIMIT = 32 * 2**20  # bytes of one body
BODIES_LIMIT = 128 * 2**20  # bytes of all bodies that are held at once, if KNOLL_BODY_MEMORY is not set
ARRIVES_WITHIN = 60.0  # seconds that a client has to send a body
RETRY_SECONDS = 2  # seconds after which a client that got 503 may ask again
CLIENT_GONE = 499  # the status of a request whose client has hung up, as nginx has it; nobody gets it
COUNTED_BEFORE = 409  # the status of feedback for an answer that counts already

_Guest = TypeVar("_Guest", bound=Hashable)
_SMALL = 2**20
_FOR_SMALL = 8  # one part of so many


class ByteBudget:
    """At most `limit` bytes of bodies at a time, whoever sends them. It belongs to one event loop.

    One part of it is kept for small bodies, so that large ones refuse each other and not these.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.held = limit, 0

    @property
    def most_of_one(self) -> int:
        """The most bytes that one body may have."""
        return self.limit - self.limit // _FOR_SMALL

    def take(self, size: int, before: int = 0) -> None:
        """Hold `size` bytes more of a body that has `before` bytes in memory. Raises Unavailable, and holds
        none of them, if they are too many."""
        kept = 0 if before + size <= _SMALL else self.limit // _FOR_SMALL
        if self.held + size > self.limit - kept:
            raise Unavailable(
                f"the bodies of all requests together have more than the {self.limit // 2**20} MiB that "
                "are held at once",
                fix="try again in a moment",
            )
        self.held += size

    def give(self, size: int) -> None:
        """Let go of bytes that were taken."""
        self.held -= size


class WaitingRoom(Generic[_Guest]):
    """At most `most` guests, each for at least `undisturbed` seconds. It belongs to one event loop."""

    def __init__(self, most: int, undisturbed: float) -> None:
        self._most, self._undisturbed = most, undisturbed
        self._since: dict[_Guest, float] = {}  # the oldest first

    def enter(self, guest: _Guest, now: float) -> _Guest | None:
        """Let the guest in, if it is not there yet. Returns who has no place: if the room is full, the one
        that is there longest, or the guest."""
        if guest in self._since:
            return None
        oldest = next(iter(self._since)) if len(self._since) >= self._most else None
        if oldest is not None:
            if now - self._since[oldest] < self._undisturbed:
                return guest
            self.leave(oldest)
        self._since[guest] = now
        return oldest

    def leave(self, guest: _Guest) -> None:
        """Let its place to another one. May be called twice."""
        self._since.pop(guest, None)
