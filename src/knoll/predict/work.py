"""The work on one request: it ends when its client has gone, or when its pictures take too long."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from knoll.errors import InvalidInstance

__all__ = ["ClientGone", "Work"]

_DECODING = 20.0  # seconds that the instances of one request may take to be read


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


class Work:
    """It is done in a thread of the pool, and cancelled from the event loop."""

    def __init__(self, decoding: float = _DECODING) -> None:
        self._is_cancelled, self._decoding, self._spent = False, decoding, 0.0
        self._since: float | None = None

    def cancel(self) -> None:
        """Let the next check end the work."""
        self._is_cancelled = True

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
