"""Looks after the S3 server of the platform: whether its disk has room, and whether it takes writes.

SeaweedFS keeps its directory in eight parts. After a full disk, some of them refuse writes until the server
is restarted, and the others go on. So the server is restarted when there is room again. It is also restarted
if it has ended by itself, or if a few writes in a row failed. If it hangs, `fault` says so while the write
still waits. If the old server does not end, a start is not possible, and is tried again without end.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from knoll.errors import KnollError, QuotaExceeded, StoreUnavailable, Unavailable
from knoll.laptop.disk import Space, why_full
from knoll.laptop.locks import LockHeld
from knoll.laptop.repeated import Repeated

__all__ = ["Keeper"]

_LOG = logging.getLogger(__name__)
_EVERY = 2.0  # seconds between looks
_WRITE_EVERY = 10.0  # seconds between writes to a server that is well
_SLOW = 5.0  # seconds after which a write that has no answer is a fault
_PATIENCE = 3  # failed writes in a row, and starts in a row


@dataclass(frozen=True)
class _Fault:
    """What is wrong, by its kind, and in words that may change while it lasts."""

    kind: Literal["", "full", "no room", "ended", "was full", "refuses", "hangs"] = ""
    words: str = ""


class _Server(Protocol):
    def poll(self) -> int | None: ...
    def restart(self) -> None: ...


class Keeper(Repeated):
    """Looks every few seconds, on a thread of its own. `space` measures the disk; `write` writes, reads and
    deletes an object, and raises StoreUnavailable, or QuotaExceeded if another bucket would find no room; it
    ends within seconds, also if nothing answers."""

    def __init__(
        self,
        server: _Server,
        space: Callable[[], Space],
        write: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__("keeper", _EVERY)
        self._found = _Fault()
        self._server, self._space, self._write, self._clock = server, space, write, clock
        self._due = clock()
        self._failures = self._starts = 0
        self._was_full = False
        self._asked_at: float | None = None

    @property
    def fault(self) -> str:
        """Why the platform is not well; "" if it is."""
        asked_at = self._asked_at
        waited = 0.0 if asked_at is None else self._clock() - asked_at
        hang = f"the store has not answered for {waited:.0f} seconds" if waited >= _SLOW else ""
        return why_full(self._space()) or self._found.words or hang

    @property
    def has_given_up(self) -> bool:
        """Whether the server does not run, and starting it again did not help."""
        return self._starts > _PATIENCE

    def work(self) -> None:
        """Look, unless it has given up."""
        if not self.has_given_up:
            self.look()

    def look(self) -> str:
        """Look once, and do what helps. Returns the fault that is left, or ""."""
        before, self._found = self._found, self._look()
        if self.fault and self._found.kind != before.kind:
            _LOG.error("%s", self.fault)
        if before.words and not self.fault:
            _LOG.warning("the platform works again")
        return self.fault

    def _look(self) -> _Fault:
        if full := why_full(self._space()):
            self._was_full = True
            return _Fault("full", full)
        if self._server.poll() is not None:
            return self._start_again(_Fault("ended", "SeaweedFS has ended by itself"))
        if self._was_full:
            return self._start_again(_Fault("was full", "the disk was full"))
        return self._try() if self._failures or self._clock() >= self._due else self._found

    def _try(self) -> _Fault:
        began = self._asked_at = self._clock()
        left = _Fault()
        try:
            self._write()
        except StoreUnavailable as error:
            self._failures += 1
            if self._failures < _PATIENCE:
                is_slow = self._clock() - began >= _SLOW
                return _Fault("hangs", f"the store does not answer: {error}") if is_slow else self._found
            return self._start_again(_Fault("refuses", f"the store takes no writes: {error}"))
        except QuotaExceeded as error:
            left = _Fault("no room", str(error))  # a start would not help
        except KnollError:
            pass  # it answered: the server itself is well
        finally:
            self._asked_at = None
        self._due = self._clock() + _WRITE_EVERY
        self._failures = self._starts = 0
        return left

    def _start_again(self, why: _Fault) -> _Fault:
        _LOG.warning("%s; it is started again", why.words)
        self._found = why  # a start may take a minute
        self._failures = 1  # so that the next look writes
        self._was_full = False
        try:
            self._server.restart()
        except LockHeld as error:
            return _Fault(why.kind, f"{why.words}: {error}")
        except Unavailable as error:
            why = _Fault(why.kind, f"{why.words}: {error}")
        self._starts += 1
        return why
