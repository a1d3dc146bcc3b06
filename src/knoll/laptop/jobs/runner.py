"""Runs the Jobs of the document store as child processes, one attempt of each at a time, as Kubernetes would
with Pods.

All state that matters is in the documents: a Job that is neither complete nor failed gets an attempt. If a
platform is killed, the next one waits for the end of its attempts, and then starts new ones. It does not
count the old ones as failures.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from knoll.errors import Conflict, NotFound, Unavailable
from knoll.laptop.changes import publish_change
from knoll.laptop.jobs.attempts import (
    Action,
    Fail,
    JobWait,
    Remove,
    Retry,
    Start,
    Succeed,
    Terminate,
    next_action,
)
from knoll.laptop.jobs.node import Node
from knoll.laptop.jobs.status import status_after
from knoll.laptop.repeated import Repeated
from knoll.laptop.resources import Resources, local_capacity
from knoll.ports import Clock, Cluster, Document, Events

__all__ = ["JobRunner"]

_LOG = logging.getLogger(__name__)
_LOOK_EVERY = 0.05
_TRY_AGAIN = timedelta(seconds=1)
_LONGEST_BACKOFF = 360.0  # seconds, as in Kubernetes


class JobRunner(Repeated):
    """Runs Jobs between `start` and `stop`, in a thread of its own.

    See `Node` for `entry_points`, `environment` and `secrets`. `changed` returns a number that rises with
    each change of a document; without it, the runner lists all Jobs each time. `backoff` is the number of
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
        super().__init__("jobs", _LOOK_EVERY)
        self._cluster, self._events, self._clock = cluster, events, clock
        self._node = Node(entry_points, environment, secrets, logs, capacity or local_capacity())
        self._changed, self._backoff = changed, backoff
        self._not_before: dict[str, datetime] = {}  # by uid of the Job
        self._seen: int | None = None
        self._wake = clock.now()

    def stop(self) -> None:
        """Terminate all attempts and wait for their end. Their Jobs stay active, so that the next start takes
        them up again."""
        super().stop()
        self._node.stop()

    def work(self) -> None:
        """Look at the Jobs, if there is something to do. Raises Unavailable."""
        if self._node.claim() and self._is_due():
            self._look()

    def _is_due(self) -> bool:
        if self._changed is None or self._changed() != self._seen or self._clock.now() >= self._wake:
            return True
        return self._node.has_news()

    def _look(self) -> None:
        seen = self._changed() if self._changed else None
        jobs = sorted(self._cluster.list("Job"), key=lambda job: job["metadata"].get("creationTimestamp", ""))
        known = {job["metadata"]["uid"] for job in jobs}
        self._node.end_orphans(known)
        self._not_before = {uid: time for uid, time in self._not_before.items() if uid in known}
        wakes = [wake for job in jobs if (wake := self._try_advance(job)) is not None]
        self._wake = min(wakes, default=self._clock.now() + timedelta(days=1))
        self._seen = seen

    def _try_advance(self, job: Document) -> datetime | None:
        """`_advance`; if one Job cannot be advanced, it must not hold up the others."""
        try:
            return self._advance(job)
        except Unavailable as error:
            _LOG.warning("cannot advance Job %s, will try again: %s", job["metadata"]["name"], error)
        except Exception:
            _LOG.exception("cannot advance Job %s, will try again", job["metadata"]["name"])
        return self._clock.now() + _TRY_AGAIN

    def _advance(self, job: Document) -> datetime | None:
        """Take one step with a Job. Returns when to look at it again; None means when something changes."""
        uid, now = job["metadata"]["uid"], self._clock.now()
        attempt = replace(self._node.attempt(uid), not_before=self._not_before.get(uid))
        obstacle = None if attempt.is_running else self._node.obstacle(job)
        action = next_action(job, attempt, now, obstacle)
        if isinstance(action, Remove):
            self._cluster.delete("Job", job["metadata"]["name"])
            return None
        if isinstance(action, Start):
            self._node.start(job)
        if isinstance(action, Terminate):
            self._node.terminate(uid)
        written = self._write_status(job, action)
        if isinstance(action, Retry | Succeed | Fail):
            self._node.forget(uid)  # only after the write: until then nothing else knows the exit code
        if isinstance(action, Retry):
            self._not_before[uid] = now + timedelta(seconds=self._delay(written))
        return action.until if isinstance(action, JobWait) else now

    def _delay(self, job: Document) -> float:
        failed = (job.get("status") or {}).get("failed", 0)
        return float(min(self._backoff * 2 ** max(0, failed - 1), _LONGEST_BACKOFF))

    def _write_status(self, job: Document, action: Action) -> Document:
        """Write what `action` makes of the status and publish the change, unless the Job is gone. Returns the
        Job as it is then."""
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
            publish_change(job, self._events, self._clock)
        except Unavailable as error:  # an event is a hint: the status is written, and a sweep will find it
            _LOG.warning("the change of Job %s was not published: %s", job["metadata"]["name"], error)
