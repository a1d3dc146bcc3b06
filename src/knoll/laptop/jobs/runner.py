"""Executes the Jobs of the document store as child processes, one attempt of each at a time, as Kubernetes
would with Pods.

All state that matters is in the documents: a Job that is neither complete nor failed gets an attempt, whoever
began it. So a platform that was killed goes on where it stopped, as soon as the attempts that died with it
are gone, and does not count them as failures.
"""

import logging
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from knoll.errors import Conflict, NotFound, Rejected, Unavailable
from knoll.events import object_changed
from knoll.laptop.children import Child
from knoll.laptop.containers import Unrunnable, command_of, container_of, environment_of
from knoll.laptop.jobs.attempts import (
    Action,
    Attempt,
    Fail,
    Obstacle,
    Remove,
    Retry,
    Start,
    Succeed,
    Terminate,
    Wait,
    next_action,
)
from knoll.laptop.jobs.status import status_after
from knoll.laptop.locks import try_lock
from knoll.laptop.resources import Resources, local_capacity, requests_of, shortage
from knoll.ports import Clock, Cluster, Document, Events

__all__ = ["JobRunner", "job_logs"]

_LOG = logging.getLogger(__name__)
_LOOK_EVERY = 0.05
_TRY_AGAIN = timedelta(seconds=1)
_LONGEST_BACKOFF = 360.0  # seconds, as in Kubernetes
_SOURCE = "/knoll/laptop"


def job_logs(logs: Path, job: str) -> list[Path]:
    """The logs of a Job's attempts in the folder `logs`, the first attempt first."""
    pattern = re.compile(rf"{re.escape(job)}-(\d+)\.log")
    found = {int(match[1]): path for path in logs.glob("*.log") if (match := pattern.fullmatch(path.name))}
    return [found[number] for number in sorted(found)]


@dataclass(frozen=True)
class _Running:
    child: Child
    wanted: Resources
    gpus: tuple[int, ...]


class JobRunner:
    """Runs Jobs between `start` and `stop`, in a thread of its own.

    `entry_points` gives the command of each image by its name without registry and tag; `environment` goes to
    every child; `secrets` are what envFrom and valueFrom may name. `changed` returns a number that differs
    whenever a document has changed; without it the store is listed all the time. `backoff` is the number of
    seconds before the second attempt; it doubles with each failure.
    """

    def __init__(
        self,
        cluster: Cluster,
        events: Events,
        entry_points: Mapping[str, Sequence[str]],
        environment: Mapping[str, str],
        secrets: Mapping[str, Mapping[str, str]],
        logs: Path,
        clock: Clock,
        *,
        capacity: Resources | None = None,
        changed: Callable[[], int] | None = None,
        backoff: float = 1.0,
    ) -> None:
        self._cluster, self._events, self._clock = cluster, events, clock
        self._entry_points, self._environment, self._secrets = entry_points, environment, secrets
        self._logs = logs
        self._capacity = capacity or local_capacity()
        self._changed = changed
        self._backoff = backoff
        self._running: dict[str, _Running] = {}  # by uid of the Job
        self._not_before: dict[str, datetime] = {}
        self._seen: int | None = None
        self._wake = clock.now()
        self._lock: BinaryIO | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def start(self) -> None:
        """Begin to run Jobs."""
        self._thread.start()

    def stop(self) -> None:
        """Terminate all attempts and wait for their end; their Jobs stay active, so that the next start takes
        them up again."""
        self._stopping.set()
        self._thread.join()
        for one in self._running.values():
            one.child.terminate()
        for one in self._running.values():
            one.child.wait(one.child.grace + 5.0)
        if self._lock is not None:
            self._lock.close()

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_EVERY):
            try:
                if self._is_locked() and self._is_due():
                    self._look()
            except Unavailable as error:
                _LOG.warning("Jobs wait: %s", error)
            except Exception:  # a fault of ours with one round must not end all trainings without a word
                _LOG.exception("Jobs wait")

    def _is_locked(self) -> bool:
        """Whether no attempt of a platform that was killed runs any more: none may run twice at a time."""
        if self._lock is None:
            self._lock = try_lock(self._logs / "lock")
        return self._lock is not None

    def _is_due(self) -> bool:
        if self._changed is None or self._changed() != self._seen or self._clock.now() >= self._wake:
            return True
        return any(one.child.poll() is not None for one in self._running.values())

    def _look(self) -> None:
        seen = self._changed() if self._changed else None
        jobs = sorted(self._cluster.list("Job"), key=lambda job: job["metadata"].get("creationTimestamp", ""))
        known = {job["metadata"]["uid"] for job in jobs}
        for uid in self._running.keys() - known:
            self._end_orphan(uid)
        self._not_before = {uid: time for uid, time in self._not_before.items() if uid in known}
        wakes = [wake for job in jobs if (wake := self._advance_safely(job)) is not None]
        self._wake = min(wakes, default=self._clock.now() + timedelta(days=1))
        self._seen = seen

    def _end_orphan(self, uid: str) -> None:
        """End the attempt of a Job that has been deleted; it holds its resources until it is gone."""
        if self._running[uid].child.poll() is None:
            self._running[uid].child.terminate()
        else:
            del self._running[uid]

    def _advance_safely(self, job: Document) -> datetime | None:
        """`_advance`, so that one Job that cannot be advanced does not hold up the others."""
        try:
            return self._advance(job)
        except Unavailable as error:
            _LOG.warning("Job %s waits: %s", job["metadata"]["name"], error)
        except Exception:
            _LOG.exception("Job %s cannot be run", job["metadata"]["name"])
        return self._clock.now() + _TRY_AGAIN

    def _advance(self, job: Document) -> datetime | None:
        """Take one step with a Job; returns when to look at it again, None for: when something changes."""
        uid, now = job["metadata"]["uid"], self._clock.now()
        attempt = self._attempt(uid)
        action = next_action(job, attempt, now, None if attempt.is_running else self._obstacle(job))
        if isinstance(action, Remove):
            self._cluster.delete("Job", job["metadata"]["name"])
            return None
        if isinstance(action, Start):
            self._start(job)
        if isinstance(action, Terminate):
            self._running[uid].child.terminate()
        written = self._write_status(job, action)
        if isinstance(
            action, Retry | Succeed | Fail
        ):  # only after the write: until then the exit code is known here alone
            self._running.pop(uid, None)
        if isinstance(action, Retry):
            self._not_before[uid] = now + timedelta(seconds=self._delay(written))
        return action.until if isinstance(action, Wait) else now

    def _attempt(self, uid: str) -> Attempt:
        running = self._running.get(uid)
        if running is None:
            return Attempt(not_before=self._not_before.get(uid))
        code = running.child.poll()
        return Attempt(is_running=code is None, exit_code=code)

    def _delay(self, job: Document) -> float:
        failed = (job.get("status") or {}).get("failed", 0)
        return float(min(self._backoff * 2 ** max(0, failed - 1), _LONGEST_BACKOFF))

    def _obstacle(self, job: Document) -> Obstacle | None:
        spec = job["spec"]
        try:
            if (spec.get("completions", 1), spec.get("parallelism", 1)) != (1, 1):
                raise Unrunnable(
                    "Unsupported", "a laptop is one node: it runs Jobs with one completion and parallelism 1"
                )
            container = container_of(spec["template"]["spec"])
            command_of(container, self._entry_points)
            environment_of(container, self._environment, self._secrets, ())
            lacking = shortage(requests_of(container), self._used(), self._capacity)
        except Unrunnable as error:
            return Obstacle(error.reason, str(error))
        except Rejected as error:
            return Obstacle("CreateContainerConfigError", str(error))
        return Obstacle("Unschedulable", lacking) if lacking else None

    def _used(self) -> Resources:
        return sum((one.wanted for one in self._running.values()), Resources())

    def _start(self, job: Document) -> None:
        pod: Mapping[str, Any] = job["spec"]["template"]["spec"]
        container, name = container_of(pod), job["metadata"]["name"]
        wanted = requests_of(container)
        taken = {gpu for one in self._running.values() for gpu in one.gpus}
        gpus = tuple(gpu for gpu in range(self._capacity.gpus) if gpu not in taken)[: wanted.gpus]
        environment = environment_of(container, self._environment, self._secrets, gpus)
        log = self._logs / f"{name}-{len(job_logs(self._logs, name))}.log"
        grace = float(pod.get("terminationGracePeriodSeconds", 30))
        held = [self._lock.fileno()] if self._lock else []
        child = Child(command_of(container, self._entry_points), environment, log, grace=grace, held=held)
        self._running[job["metadata"]["uid"]] = _Running(child, wanted, gpus)

    def _write_status(self, job: Document, action: Action) -> Document:
        """Write what `action` makes of the status and publish the change; a Job that has gone needs none.
        Returns the Job as it is."""
        while True:
            status = status_after(job, action, self._clock.now())
            if status == job.get("status"):
                return job
            try:
                written = self._cluster.update({**job, "status": status}, status=True)
            except NotFound:
                return job
            except Conflict:
                fresh = self._cluster.get("Job", job["metadata"]["name"])
                if fresh["metadata"]["uid"] != job["metadata"]["uid"]:
                    return job
                job = fresh
                continue
            self._publish(written)
            return written

    def _publish(self, job: Document) -> None:
        try:
            self._events.publish(object_changed(job, source=_SOURCE, time=self._clock.now()))
        except Unavailable as error:  # an event is a hint: the status is written, and a sweep will find it
            _LOG.warning("the change of Job %s was not published: %s", job["metadata"]["name"], error)
