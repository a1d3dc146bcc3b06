"""SIGTERM: a training ends at once, or after the step that it is in, whose state it keeps."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Terminated", "Termination"]


class Terminated(BaseException):
    """SIGTERM came. This is not an Exception, so that no library handles it."""


class Termination:
    """Watches for SIGTERM. Use it in the main thread, where signals arrive."""

    def __init__(self) -> None:
        self.is_asked = False
        self._waits = False

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Raise Terminated here when the signal comes."""
        before = signal.signal(signal.SIGTERM, self._terminate)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    @contextmanager
    def put_off(self) -> Iterator[None]:
        """Until the end of this block the signal only sets `is_asked`."""
        self._waits = True
        try:
            yield
        finally:
            self._waits = False
        if self.is_asked:
            raise Terminated

    def _terminate(self, *_: object) -> None:
        self.is_asked = True
        if not self._waits:
            raise Terminated
