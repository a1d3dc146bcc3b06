"""The server process of one revision: started when somebody needs it, ready when its probe answers 200,
stopped when nobody does.

A laptop runs at most one replica of a revision. All its state belongs to one event loop, so nothing here
takes a lock: many requests for a sleeping server share one start, and a server is never stopped while a
request holds it.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from knoll.errors import Unavailable
from knoll.laptop.children import Child, last_lines

__all__ = ["Command", "Failure", "Replica", "backoff"]

_LOG = logging.getLogger(__name__)
_PROBE_EVERY = 0.03
_PROBE_WITHIN = aiohttp.ClientTimeout(total=5.0)
_GRACE = 10.0
_QUEUE = 1000
_STABLE = 60.0
_TRY_AGAIN = 1.0


@dataclass(frozen=True)
class Command:
    """How to start the server of a revision and how to see that it is ready.

    `probe` is the path that answers 200 once it is; `concurrency` the number of requests it takes at a time,
    0 for any number.
    """

    revision: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    probe: str
    concurrency: int


@dataclass(frozen=True)
class Failure:
    """Why a server did not become ready; `exit_code` is None when it still ran."""

    message: str
    exit_code: int | None


_GONE = Failure("it was deleted, or the platform stops", None)


@dataclass(frozen=True)
class _Running:
    child: Child
    address: str
    since: float


def backoff(crashes: int) -> float:
    """Seconds before the next start after so many crashes in a row: at once after the first, then 1, 2, 4 and
    so on, at most 30."""
    return 0.0 if crashes < 2 else min(30.0, 2.0 ** (crashes - 2))


class Replica:
    """The one server of a revision."""

    def __init__(self, command: Command, http: aiohttp.ClientSession) -> None:
        self.command = command
        self.failure: Failure | None = None  # of the last start; None: it was good, or there was none yet
        self.crashes = 0  # in a row: a server that has lived for a minute starts from none
        self._http = http
        self._running: _Running | None = None
        self._starting: asyncio.Task[_Running | Failure] | None = None
        self._slots = asyncio.Semaphore(command.concurrency or _QUEUE)
        self._users = 0
        self._is_closed = False
        self._idle_since = self._retry_at = _now()

    @property
    def is_running(self) -> bool:
        """Whether a process runs or starts."""
        return self._running is not None or self._starting is not None

    def is_idle(self, seconds: float) -> bool:
        """Whether the server runs and nobody has used it for so long."""
        return self._running is not None and self._users == 0 and _now() - self._idle_since >= seconds

    async def start(self, patience: float) -> Failure | None:
        """Have the server ready within `patience` seconds, or say why it is not."""
        with self._use():
            outcome = await self._ready(patience)
        return outcome if isinstance(outcome, Failure) else None

    @asynccontextmanager
    async def slot(self, patience: float) -> AsyncIterator[str]:
        """The base URL, for one request: starts the server and waits for its turn. Raises Unavailable when
        there is none in time."""
        name = self.command.revision
        if self._users >= self._limit:
            raise Unavailable(
                f"{self._users} requests wait for {name} already", fix="send fewer requests at a time"
            )
        with self._use():
            await self._address(
                patience
            )  # before the queue, so that all who wait share one start, and its failure
            try:
                async with asyncio.timeout(patience):
                    await self._slots.acquire()
            except TimeoutError as error:
                raise Unavailable(f"no request to {name} ended within {patience:g} s") from error
            try:
                yield await self._address(patience)
            finally:
                self._slots.release()

    async def lost(self) -> None:
        """A connection to the server broke: see whether it has ended."""
        for _ in range(50):
            self.reap()
            if self._running is None:
                return
            await asyncio.sleep(0.01)

    def reap(self) -> None:
        """Notice that the server has ended by itself."""
        running = self._running
        if running is not None and (code := running.child.poll()) is not None:
            self._running = None
            self._count_crash(running, code)

    async def rest(self, seconds: float) -> None:
        """End the server if it is idle still: a request may have come since somebody looked."""
        if self.is_idle(seconds):
            await self.stop()

    async def stop(self) -> None:
        """End the server, SIGTERM first."""
        running, self._running = self._running, None
        if running is not None:
            await _end(running.child)

    async def close(self) -> None:
        """Take no more requests, let those in flight finish, and end the server."""
        self._is_closed = True
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        deadline = _now() + _GRACE
        while self._users and _now() < deadline:
            await asyncio.sleep(0.02)
        await self.stop()

    @property
    def _limit(self) -> int:
        return self.command.concurrency + _QUEUE

    @contextmanager
    def _use(self) -> Iterator[None]:
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            self._idle_since = _now()

    async def _address(self, patience: float) -> str:
        try:
            async with asyncio.timeout(patience):
                outcome = await self._ready(patience)
        except TimeoutError as error:
            raise Unavailable(
                f"{self.command.revision} did not become ready within {patience:g} s"
            ) from error
        if isinstance(outcome, Failure):
            raise Unavailable(
                f"{self.command.revision} does not start: {outcome.message}", fix=f"see {self.command.log}"
            )
        return outcome.address

    async def _ready(self, patience: float) -> _Running | Failure:
        if self._running is not None:
            return self._running
        if self._is_closed:
            return _GONE
        if self._starting is None:
            self._starting = asyncio.create_task(self._start(patience))
            self._starting.add_done_callback(self._started)
        starting = self._starting
        await asyncio.wait({starting})
        return _GONE if starting.cancelled() else starting.result()

    def _started(self, task: asyncio.Task[_Running | Failure]) -> None:
        self._starting = None
        if task.cancelled() or task.exception() is not None:
            return
        outcome = task.result()
        self._running, self.failure = (outcome, None) if isinstance(outcome, _Running) else (None, outcome)

    async def _start(self, patience: float) -> _Running | Failure:
        deadline = _now() + patience
        await asyncio.sleep(self._retry_at - _now())
        command, port = self.command, _free_port()
        try:
            child = await asyncio.to_thread(
                Child, command.argv, {**command.environment, "PORT": str(port)}, command.log, grace=_GRACE
            )
        except Unavailable as error:  # as on a full disk, which may have room again in a moment
            self._retry_at = _now() + _TRY_AGAIN
            return Failure(str(error), None)
        running = _Running(child, f"http://127.0.0.1:{port}", _now())
        try:
            while (code := child.poll()) is None and _now() < deadline:
                if await self._answers(running.address):
                    return running
                await asyncio.sleep(_PROBE_EVERY)
        except asyncio.CancelledError:
            await _end(child)
            raise
        return await self._failed(running, code)

    async def _failed(self, running: _Running, code: int | None) -> Failure:
        last = last_lines(self.command.log).strip().rpartition("\n")[2]
        self._count_crash(running, code)
        if code is not None:
            return Failure(last or f"ended with exit code {code}", code)
        await _end(running.child)
        return Failure(
            f"{self.command.probe} did not answer 200 within {_now() - running.since:.0f} s: "
            f"{last or 'no log'}",
            None,
        )

    async def _answers(self, address: str) -> bool:
        try:
            async with self._http.get(address + self.command.probe, timeout=_PROBE_WITHIN) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    def _count_crash(self, running: _Running, code: int | None) -> None:
        self.crashes = 1 if _now() - running.since > _STABLE else self.crashes + 1
        self._retry_at = _now() + backoff(self.crashes)
        _LOG.warning(
            "server of %s ended with exit code %s, crash %d in a row",
            self.command.revision,
            code,
            self.crashes,
        )


async def _end(child: Child) -> None:
    child.terminate()
    await asyncio.to_thread(child.wait, _GRACE + 2.0)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
