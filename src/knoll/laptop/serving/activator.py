"""Holds requests for the replica of one Revision until it is ready and has a free place.

A replica is idle while no request and no start uses it. It is never stopped under a request.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from knoll.errors import Unavailable
from knoll.exits import UNAVAILABLE
from knoll.laptop.serving.replica import Failure, Replica

__all__ = ["Activator"]

_QUEUE = 1000  # requests that may wait beside those that the replica works on
_DRAIN = 10.0  # seconds


class Activator:
    """The way to one replica. All its state belongs to one event loop."""

    def __init__(self, replica: Replica) -> None:
        self.replica = replica
        self._revision, concurrency = replica.command.revision, replica.command.concurrency
        self._slots, self._limit = asyncio.Semaphore(concurrency or _QUEUE), concurrency + _QUEUE
        self._users = 0
        self._idle_since = _now()

    def is_idle(self, seconds: float) -> bool:
        """Whether the replica runs and has been unused for so long."""
        return self.replica.is_ready and self._users == 0 and _now() - self._idle_since >= seconds

    async def start(self, patience: float) -> Failure | None:
        """Get the replica ready within `patience` seconds; if that fails, say why."""
        with self._use():
            outcome = await self.replica.start(patience)
        return outcome if isinstance(outcome, Failure) else None

    @asynccontextmanager
    async def slot(self, patience: float) -> AsyncIterator[str]:
        """The base URL, for one request. Starts the replica if it does not run, and waits for a free place.
        Raises Unavailable if there is none in time."""
        if self._users >= self._limit:
            waiting = f"{self._users} requests wait for {self._revision} already"
            raise Unavailable(waiting, fix="send fewer requests at a time")
        with self._use():
            # before the queue, so that all waiting requests share one start, and its failure
            await self._address(patience)
            await self._take_slot(patience)
            try:
                yield await self._address(patience)
            finally:
                self._slots.release()

    async def stop_if_idle(self, seconds: float) -> None:
        """End the replica if it still is idle: a request may have come since the last look."""
        if self.is_idle(seconds):
            await self.replica.stop()

    async def close(self) -> None:
        """Take no more requests, let those in flight finish, and end the replica."""
        await self.replica.forbid_start()
        deadline = _now() + _DRAIN
        while self._users and _now() < deadline:
            await asyncio.sleep(0.02)
        await self.replica.stop()

    @contextmanager
    def _use(self) -> Iterator[None]:
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            self._idle_since = _now()

    async def _take_slot(self, patience: float) -> None:
        try:
            async with asyncio.timeout(patience):
                await self._slots.acquire()
        except TimeoutError as error:
            raise Unavailable(
                f"{self._revision} is busy: this request had no place within {patience:g} s",
                fix="send fewer requests at a time",
            ) from error

    async def _address(self, patience: float) -> str:
        """The base URL. A replica that ended because something did not answer it, such as a store that is
        started again, is started again, too, as long as the patience lasts."""
        try:
            async with asyncio.timeout(patience):
                outcome = await self.replica.start(patience)
                while isinstance(outcome, Failure) and outcome.exit_code == UNAVAILABLE:
                    outcome = await self.replica.start(patience)
        except TimeoutError as error:
            raise self._unavailable(f"did not start within {patience:g} s", self.replica.failure) from error
        if isinstance(outcome, Failure):
            raise self._unavailable("does not start", outcome)
        return outcome

    def _unavailable(self, what: str, failure: Failure | None) -> Unavailable:
        told = f"{self._revision} {what}{f': {failure.message}' if failure else ''}"
        return Unavailable(told, fix=f"read {self.replica.command.log}")


def _now() -> float:
    return asyncio.get_running_loop().time()
