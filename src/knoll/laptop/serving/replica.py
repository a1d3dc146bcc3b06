"""The replica of one Revision: a child process that is ready when its probe answers 200.

A laptop runs at most one replica of a Revision. All its state belongs to one event loop, so nothing here
takes a lock. Callers that need it at the same time share one start.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from knoll.errors import Unavailable
from knoll.exits import REJECTED
from knoll.laptop.children import Child, last_lines
from knoll.laptop.ports import free_port

__all__ = ["Command", "Failure", "Replica", "backoff"]

_LOG = logging.getLogger(__name__)
_PROBE_EVERY = 0.03
_PROBE_WITHIN = aiohttp.ClientTimeout(total=5.0)
_GRACE = 10.0
_STABLE = 60.0
_TRY_AGAIN = 1.0


@dataclass(frozen=True)
class Command:
    """How to start the replica of a Revision, and how to see that it is ready.

    `probe` is the path that answers 200 when it is. `concurrency` is the number of requests that it takes at
    a time; 0 means any number.
    """

    revision: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    probe: str
    concurrency: int


@dataclass(frozen=True)
class Failure:
    """Why a replica did not become ready; `exit_code` is None if it was still running."""

    message: str
    exit_code: int | None


_GONE = Failure("it was deleted, or the platform stops", None)


@dataclass(frozen=True)
class _RunningReplica:
    child: Child
    address: str
    since: float


def backoff(crashes: int) -> float:
    """Seconds before the next start after so many crashes in a row: none after the first, then 1, 2, 4 and so
    on, at most 30."""
    return 0.0 if crashes < 2 else min(30.0, 2.0 ** (crashes - 2))


class Replica:
    """The one process of a Revision.

    `failure` says how the last start failed; it is None if that start was good, or if there was none yet.
    `crashes` counts crashes in a row; a replica that ran for a minute begins again at zero.
    """

    def __init__(self, command: Command, http: aiohttp.ClientSession) -> None:
        self.command = command
        self.failure: Failure | None = None
        self.crashes = 0
        self._http = http
        self._running: _RunningReplica | None = None
        self._starting: asyncio.Task[_RunningReplica | Failure] | None = None
        self._is_closed = False
        self._retry_at = _now()

    @property
    def is_ready(self) -> bool:
        """Whether the process has become ready, and is not known to have ended."""
        return self._running is not None

    @property
    def is_running(self) -> bool:
        """Whether the process is ready or starts."""
        return self._running is not None or self._starting is not None

    @property
    def refusal(self) -> str | None:
        """What the process said if it refused, with exit code 65, to serve what it was given; else None."""
        failure = self.failure
        return failure.message if failure and failure.exit_code == REJECTED else None

    async def start(self, patience: float) -> str | Failure:
        """Return the base URL. If the process does not run, start it; it has `patience` seconds to become
        ready."""
        if self._running is not None:
            return self._running.address
        if self._is_closed:
            return _GONE
        if self._starting is None:
            self._starting = asyncio.create_task(self._start(patience))
            self._starting.add_done_callback(self._record_start)
        starting = self._starting
        await asyncio.wait({starting})
        outcome = _GONE if starting.cancelled() else starting.result()
        return outcome.address if isinstance(outcome, _RunningReplica) else outcome

    async def check_connection(self) -> None:
        """Call this after a connection broke: it waits a moment to see whether the process has ended."""
        for _ in range(50):
            self.reap()
            if self._running is None:
                return
            await asyncio.sleep(0.01)

    def reap(self) -> None:
        """Record it if the process has ended by itself."""
        running = self._running
        if running is not None and (code := running.child.poll()) is not None:
            self._running = None
            self._count_crash(running, code)

    async def stop(self) -> None:
        """End the process, SIGTERM first."""
        running, self._running = self._running, None
        if running is not None:
            await _end(running.child)

    async def forbid_start(self) -> None:
        """Never start the process again, and end a start that is under way."""
        self._is_closed = True
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)

    def _record_start(self, task: asyncio.Task[_RunningReplica | Failure]) -> None:
        self._starting = None
        if task.cancelled() or task.exception() is not None:
            return
        outcome = task.result()
        self._running, self.failure = (
            (outcome, None) if isinstance(outcome, _RunningReplica) else (None, outcome)
        )

    async def _start(self, patience: float) -> _RunningReplica | Failure:
        deadline = _now() + patience
        await asyncio.sleep(self._retry_at - _now())
        try:
            running = await self._launch()
        except Unavailable as error:  # as on a full disk, which may have room again in a moment
            self._retry_at = _now() + _TRY_AGAIN
            return Failure(str(error), None)
        try:
            while (code := running.child.poll()) is None and _now() < deadline:
                if await self._answers(running.address):
                    return running
                await asyncio.sleep(_PROBE_EVERY)
        except asyncio.CancelledError:
            await _end(running.child)
            raise
        return await self._give_up(running, code)

    async def _launch(self) -> _RunningReplica:
        command, port = self.command, free_port()
        environment = {**command.environment, "PORT": str(port)}
        child = await asyncio.to_thread(Child, command.argv, environment, command.log, grace=_GRACE)
        return _RunningReplica(child, f"http://127.0.0.1:{port}", _now())

    async def _give_up(self, running: _RunningReplica, code: int | None) -> Failure:
        last = last_lines(self.command.log).strip().rpartition("\n")[2].strip()
        self._count_crash(running, code)
        if code is not None:
            return Failure(last or f"ended with exit code {code}", code)
        await _end(running.child)
        seconds = f"{_now() - running.since:.0f} s"
        return Failure(f"{self.command.probe} did not answer 200 within {seconds}: {last or 'no log'}", None)

    async def _answers(self, address: str) -> bool:
        try:
            async with self._http.get(address + self.command.probe, timeout=_PROBE_WITHIN) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    def _count_crash(self, running: _RunningReplica, code: int | None) -> None:
        self.crashes = 1 if _now() - running.since > _STABLE else self.crashes + 1
        self._retry_at = _now() + backoff(self.crashes)
        text = "the replica of %s ended with exit code %s, crash %d in a row"
        _LOG.warning(text, self.command.revision, code, self.crashes)


async def _end(child: Child) -> None:
    child.terminate()
    await asyncio.to_thread(child.wait, _GRACE + 2.0)


def _now() -> float:
    return asyncio.get_running_loop().time()
