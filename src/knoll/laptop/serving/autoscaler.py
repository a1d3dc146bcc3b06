"""The controller of model servers: brings documents and processes together, again and again, from whatever it
finds.

It does what Knative's autoscaler and the kubelet do on a cluster: servers are started, proven, kept, stopped
and removed. Documents outlive the platform, processes do not: after a restart every revision that was ready
once is at zero and starts with its first request.
"""

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from knoll.errors import Rejected, Unavailable
from knoll.laptop.containers import Unrunnable, command_of, environment_of
from knoll.laptop.serving.inference_services import Services
from knoll.laptop.serving.instance import Command, Replica
from knoll.laptop.serving.revisions import GAVE_UP, Verdict, min_scale, traffic_of, verdict
from knoll.ports import Document

__all__ = ["Hosting", "Servers"]

_LOG = logging.getLogger(__name__)
_TICK = 0.2


@dataclass(frozen=True)
class Hosting:
    """How servers run: base URL of the gateway, folder of their logs, image name → command, secret name →
    variables, what every server gets in its environment, seconds until an idle one is stopped and seconds
    that a new revision may take to become ready."""

    url: str
    logs: Path
    entry_points: Mapping[str, Sequence[str]]
    secrets: Mapping[str, Mapping[str, str]]
    environment: Mapping[str, str]
    idle: float = 60.0
    progress_deadline: float = 120.0


@dataclass(frozen=True)
class _Hosted:
    revision: Document
    replica: Replica
    proof: asyncio.Task[None] | None


class Servers:
    """All model servers; an async context, whose event loop owns everything.

    `documents` are the InferenceServices as last seen, by name; `http` is a client for the servers'
    addresses.
    """

    def __init__(self, services: Services, hosting: Hosting) -> None:
        self.documents: dict[str, Document] = {}
        self._services, self._hosting = services, hosting
        self._hosted: dict[str, _Hosted] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._seen = -1
        self._wake = asyncio.Event()

    async def __aenter__(self) -> "Servers":
        self.http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30.0),
            timeout=aiohttp.ClientTimeout(sock_connect=5.0),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=["accept", "accept-encoding", "user-agent", "content-type"],
        )
        await self._round()
        self._loop = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._loop.cancel()
        for name in list(self._hosted):
            self._retire(name)
        await asyncio.gather(self._loop, *self._tasks, return_exceptions=True)
        await self.http.close()

    @property
    def running(self) -> list[str]:
        """Names of the revisions whose server runs or starts."""
        return sorted(name for name, one in self._hosted.items() if one.replica.is_running)

    def acquire(self, revision: str, patience: float) -> AbstractAsyncContextManager[str]:
        """The base URL of a revision's server, for one request (see `Replica.slot`). Raises Unavailable when
        the revision is gone."""
        return self._replica(revision).slot(patience)

    def fault(self, revision: str) -> str:
        """Why the revision would probably not answer: how its last start failed, or that it is gone; "" if
        nothing is known against it."""
        if revision not in self._hosted:
            return f"{revision} is no longer served"
        failure = self._hosted[revision].replica.failure
        return f"{revision} does not start: {failure.message}" if failure else ""

    async def lost(self, revision: str) -> None:
        """A connection to the revision's server broke: see whether it has ended."""
        await self._replica(revision).lost()

    def _replica(self, revision: str) -> Replica:
        if revision not in self._hosted:
            raise Unavailable(f"{revision} is no longer served")
        return self._hosted[revision].replica

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _TICK)
            self._wake.clear()
            try:
                await self._round()
            except Exception:
                _LOG.exception("a round of the model servers failed; the next one looks at everything again")
                self._seen = -1

    async def _round(self) -> None:
        try:
            found = await asyncio.to_thread(self._services.revision)
            if found != self._seen:
                services, revisions = await asyncio.to_thread(self._services.settle, self._hosting.url)
                self.documents = {one["metadata"]["name"]: one for one in services}
                self._adopt(revisions)
                self._seen = found
            await asyncio.to_thread(self._services.publish)
        except Unavailable as error:
            _LOG.warning("will look at the InferenceServices again: %s", error)
        self._tend()

    def _adopt(self, revisions: Sequence[Document]) -> None:
        live = {one["metadata"]["uid"] for one in revisions}
        for name, hosted in list(self._hosted.items()):
            if hosted.revision["metadata"]["uid"] not in live:
                self._retire(name)
        for one in revisions:
            if one["metadata"]["name"] not in self._hosted:
                self._host(one)

    def _host(self, revision: Document) -> None:
        found = verdict(revision)
        try:
            replica = Replica(_command(revision, self._hosting), self.http)
        except (Unrunnable, Rejected) as error:
            reason = error.reason if isinstance(error, Unrunnable) else "CreateContainerConfigError"
            refused = Verdict("False", reason, str(error))
            if found != refused:
                self._spawn(self._judge(revision, refused))
            return
        is_open = found.status != "True" and found.reason != GAVE_UP
        proof = self._spawn(self._prove(revision, replica)) if is_open else None
        self._hosted[revision["metadata"]["name"]] = _Hosted(revision, replica, proof)

    def _retire(self, name: str) -> None:
        hosted = self._hosted.pop(name)
        if hosted.proof is not None:
            hosted.proof.cancel()
        self._spawn(hosted.replica.close())

    async def _prove(self, revision: Document, replica: Replica) -> None:
        """A new revision gets traffic only after it has been ready once. A second crash is a crash loop,
        which may still end well."""
        clock, patience = asyncio.get_running_loop().time, self._hosting.progress_deadline
        deadline, message = clock() + patience, ""
        while (left := deadline - clock()) > 0:
            failure = await replica.start(left)
            if failure is None:
                return await self._judge(revision, Verdict("True", ""))
            message = failure.message
            if failure.exit_code is not None and replica.crashes > 1:
                await self._judge(
                    revision, Verdict("False", f"ExitCode{failure.exit_code}", message, failure.exit_code)
                )
        return await self._judge(revision, Verdict("False", GAVE_UP, message))

    async def _judge(self, revision: Document, found: Verdict) -> None:
        await asyncio.to_thread(self._services.judge, revision, found)
        self._wake.set()

    def _tend(self) -> None:
        reachable = {
            one["revisionName"] for service in self.documents.values() for one in traffic_of(service)
        }
        for name, hosted in self._hosted.items():
            hosted.replica.reap()
            is_kept = name in reachable and min_scale(hosted.revision) > 0
            if is_kept and not hosted.replica.is_running:
                self._spawn(hosted.replica.start(self._hosting.progress_deadline))
            elif not is_kept and hosted.replica.is_idle(self._hosting.idle):
                self._spawn(hosted.replica.rest(self._hosting.idle))

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("a task of the model servers failed", exc_info=error)


def _command(revision: Document, hosting: Hosting) -> Command:
    name, spec = revision["metadata"]["name"], revision["spec"]
    if not spec.get("containers"):
        raise Unrunnable(
            "InvalidSpec", "spec.predictor has no containers: a laptop does not know predictor.model"
        )
    container = spec["containers"][0]
    return Command(
        revision=name,
        argv=tuple(command_of(container, hosting.entry_points)),
        environment=environment_of(
            container, {**hosting.environment, "K_REVISION": name}, hosting.secrets, ()
        ),
        log=hosting.logs / f"{name}.log",
        probe=((container.get("readinessProbe") or {}).get("httpGet") or {}).get("path", "/v2/health/ready"),
        concurrency=int(spec.get("containerConcurrency") or 0),
    )
