"""Starts and stops replicas so that they match the documents, again and again.

It does what Knative's autoscaler and the kubelet do on a cluster. Documents outlive the platform, processes
do not: after a restart, a Revision that has been ready once gets a replica with its first request, or at
once if its min scale asks for one.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from typing import Any

import aiohttp

from knoll.errors import Rejected, Unavailable
from knoll.headers import HEADERS_OF_AIOHTTP, TOKEN
from knoll.kube.labels import VERSION_LABEL, label_of
from knoll.kube.obstacles import GAVE_UP
from knoll.kube.predictors import traffic_of
from knoll.laptop.containers import Unrunnable
from knoll.laptop.serving.activator import Activator
from knoll.laptop.serving.inference_services import InferenceServices
from knoll.laptop.serving.options import ServingOptions, replica_command
from knoll.laptop.serving.replica import Replica
from knoll.laptop.serving.revisions import Readiness, min_scale, verdict
from knoll.ports import Document
from knoll.router.proxy import CONNECT_WITHIN

__all__ = ["Autoscaler"]

_LOG = logging.getLogger(__name__)
_TICK = 0.2


@dataclass(frozen=True)
class _Served:
    revision: Document
    activator: Activator
    proof: asyncio.Task[None] | None


class Autoscaler:
    """The replicas of all Revisions; an async context, whose event loop owns everything.

    `isvcs` and `models` have InferenceServices and Models by name, as of the last look. `http` is a
    client for the replicas.
    """

    def __init__(self, inference_services: InferenceServices, options: ServingOptions) -> None:
        self.isvcs: dict[str, Document] = {}
        self.models: dict[str, Document] = {}
        self._inference_services, self._options = inference_services, options
        self._served: dict[str, _Served] = {}
        self._told: dict[str, str | None] = {}
        self._telling = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._seen = -1
        self._wake = asyncio.Event()

    async def __aenter__(self) -> "Autoscaler":
        self.http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30.0),
            timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_WITHIN),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={TOKEN: self._options.token} if self._options.token else {},
            auto_decompress=False,
            skip_auto_headers=HEADERS_OF_AIOHTTP,
        )
        await self._look()
        self._loop = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._loop.cancel()
        for name in list(self._served):
            self._retire(name)
        await asyncio.gather(self._loop, *self._tasks, return_exceptions=True)
        await self.http.close()

    @property
    def running(self) -> list[str]:
        """Names of the Revisions whose replica runs or starts."""
        return sorted(name for name, one in self._served.items() if one.activator.replica.is_running)

    def acquire(self, revision: str, patience: float) -> AbstractAsyncContextManager[str]:
        """The base URL of the Revision's replica, for one request (see `Activator.slot`). Raises Unavailable
        if the Revision is gone."""
        return self._activator(revision).slot(patience)

    def fault(self, revision: str) -> str:
        """Why the Revision would probably not answer; "" if there is no known reason."""
        if revision not in self._served:
            return f"{revision} is no longer served"
        failure = self._served[revision].activator.replica.failure
        return f"{revision} does not start: {failure.message}" if failure else ""

    def version(self, revision: str) -> str:
        """The version that the Revision serves; "" if it is gone."""
        served = self._served.get(revision)
        return label_of(served.revision, VERSION_LABEL) if served else ""

    async def check_connection(self, revision: str) -> None:
        """Call this after a connection to the Revision's replica broke (see `Replica.check_connection`)."""
        await self._activator(revision).replica.check_connection()

    def _activator(self, revision: str) -> Activator:
        if revision not in self._served:
            raise Unavailable(f"{revision} is no longer served", fix="ask again: a newer revision may answer")
        return self._served[revision].activator

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _TICK)
            self._wake.clear()
            try:
                await self._look()
            except Exception:
                _LOG.exception("the autoscaler failed, and will try again")
                self._seen = -1

    async def _look(self) -> None:
        try:
            found = await asyncio.to_thread(self._inference_services.revision)
            if found != self._seen:
                models = await asyncio.to_thread(self._inference_services.models)
                settle, url = self._inference_services.settle, self._options.url
                isvcs, revisions = await asyncio.to_thread(settle, url)
                self.isvcs, self.models = _by_name(isvcs), _by_name(models)
                self._adopt(revisions)
                self._seen = found
            await asyncio.to_thread(self._inference_services.publish)
        except Unavailable as error:
            _LOG.warning("cannot read the InferenceServices, will look again: %s", error)
        self._scale()

    def _adopt(self, revisions: Sequence[Document]) -> None:
        live = {one["metadata"]["uid"] for one in revisions}
        for name, served in list(self._served.items()):
            if served.revision["metadata"]["uid"] not in live:
                self._retire(name)
        for one in revisions:
            if one["metadata"]["name"] not in self._served:
                self._serve(one)

    def _serve(self, revision: Document) -> None:
        found = verdict(revision)
        try:
            activator = Activator(Replica(replica_command(revision, self._options), self.http))
        except (Unrunnable, Rejected) as error:
            reason = error.reason if isinstance(error, Unrunnable) else "CreateContainerConfigError"
            refused = Readiness("False", reason, str(error))
            if found != refused:
                self._spawn(self._judge(revision, refused))
            return
        is_open = found.status != "True" and found.reason != GAVE_UP
        proof = self._spawn(self._prove(revision, activator)) if is_open else None
        self._served[revision["metadata"]["name"]] = _Served(revision, activator, proof)

    def _retire(self, name: str) -> None:
        served = self._served.pop(name)
        self._tell(name, served.revision, None)
        if served.proof is not None:
            served.proof.cancel()
        self._spawn(served.activator.close())

    async def _prove(self, revision: Document, activator: Activator) -> None:
        """Start the replica of a new Revision until it was ready once: before that, the Revision gets no
        traffic. After a second crash the status says so, and the starts go on."""
        clock, patience = asyncio.get_running_loop().time, self._options.progress_deadline
        deadline, message = clock() + patience, ""
        while (left := deadline - clock()) > 0:
            failure = await activator.start(left)
            if failure is None:
                return await self._judge(revision, Readiness("True", ""))
            message, code = failure.message, failure.exit_code
            if code is not None and activator.replica.crashes > 1:
                await self._judge(revision, Readiness("False", f"ExitCode{code}", message, code))
        return await self._judge(revision, Readiness("False", GAVE_UP, message))

    async def _judge(self, revision: Document, found: Readiness) -> None:
        await asyncio.to_thread(self._inference_services.judge, revision, found)
        self._wake.set()

    def _scale(self) -> None:
        reachable = {one["revisionName"] for isvc in self.isvcs.values() for one in traffic_of(isvc)}
        idle = self._options.idle
        for name, served in self._served.items():
            activator, replica = served.activator, served.activator.replica
            replica.reap()
            self._tell(name, served.revision, replica.refusal)
            is_kept = name in reachable and min_scale(served.revision) > 0
            if is_kept and not replica.is_running:
                self._spawn(activator.start(self._options.progress_deadline))
            elif not is_kept and activator.is_idle(idle):
                self._spawn(activator.stop_if_idle(idle))

    def _tell(self, name: str, revision: Document, refusal: str | None) -> None:
        """Write whether the replica of a Revision refuses its version, each time that this changes, and once
        after a start: documents of an earlier platform may say otherwise."""
        if self._told.get(name, "") != refusal:
            self._told[name] = refusal
            self._spawn(self._write_refusal(name, revision, refusal))

    async def _write_refusal(self, name: str, revision: Document, refusal: str | None) -> None:
        async with self._telling:  # in the order in which they came
            try:
                await asyncio.to_thread(self._inference_services.tell_refusal, revision, refusal)
            except Unavailable:
                self._told.pop(name, None)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("a task of the autoscaler failed", exc_info=error)


def _by_name(documents: Sequence[Document]) -> dict[str, Document]:
    return {one["metadata"]["name"]: one for one in documents}
