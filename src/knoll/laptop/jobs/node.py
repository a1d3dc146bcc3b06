"""This machine as the node on which attempts run: what runs, what fits beside it, and how one starts."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from knoll.errors import Rejected
from knoll.laptop.children import Child
from knoll.laptop.containers import Unrunnable, command_of, container_of, environment_of
from knoll.laptop.jobs.attempts import JobAttempt, Obstacle
from knoll.laptop.jobs.logs import next_log
from knoll.laptop.locks import try_lock
from knoll.laptop.resources import Resources, requests_of, shortage
from knoll.ports import Document

__all__ = ["Node"]


@dataclass(frozen=True)
class _RunningJob:
    child: Child
    wanted: Resources
    gpus: tuple[int, ...]


class Node:
    """The attempts of this machine, by the uid of their Job.

    `entry_points` has the command of each image, by its name without registry and tag; `environment` goes to
    every child; `secrets` are those that envFrom and valueFrom may name.
    """

    def __init__(
        self,
        entry_points: Mapping[str, Sequence[str]],
        environment: Mapping[str, str],
        secrets: Mapping[str, Mapping[str, str]],
        logs: Path,
        capacity: Resources,
    ) -> None:
        self._entry_points, self._environment, self._secrets = entry_points, environment, secrets
        self._logs, self._capacity = logs, capacity
        self._running: dict[str, _RunningJob] = {}
        self._lock: BinaryIO | None = None

    def claim(self) -> bool:
        """Take the node for this platform. That succeeds once all attempts of a killed platform have ended: a
        Job must not run twice at a time."""
        if self._lock is None:
            self._lock = try_lock(self._logs / "lock")
        return self._lock is not None

    def has_news(self) -> bool:
        """Whether an attempt has ended."""
        return any(one.child.poll() is not None for one in self._running.values())

    def attempt(self, uid: str) -> JobAttempt:
        """The attempt of a Job: it runs, has ended, or there is none."""
        running = self._running.get(uid)
        if running is None:
            return JobAttempt()
        code = running.child.poll()
        return JobAttempt(is_running=code is None, exit_code=code, peak=running.child.peak)

    def obstacle(self, job: Document) -> Obstacle | None:
        """Why an attempt of the Job cannot start now, if there is a reason."""
        spec = job["spec"]
        try:
            if (nodes := max(spec.get("completions", 1), spec.get("parallelism", 1))) != 1:
                text = f"it asks for {nodes} nodes, and a laptop is one"
                raise Unrunnable("Unsupported", text)
            container = container_of(spec["template"]["spec"])
            command_of(container, self._entry_points)
            environment_of(container, self._environment, self._secrets, ())
            lacking = shortage(requests_of(container), self._used(), self._capacity)
        except Unrunnable as error:
            return Obstacle(error.reason, str(error))
        except Rejected as error:
            return Obstacle("CreateContainerConfigError", str(error))
        return Obstacle("NoRoom", lacking) if lacking else None

    def start(self, job: Document) -> None:
        """Start an attempt of the Job. Raises Unavailable if its process or log cannot be created."""
        name, pod = job["metadata"]["name"], job["spec"]["template"]["spec"]
        container = container_of(pod)
        wanted = requests_of(container)
        gpus = self._free_gpus(wanted.gpus)
        child = Child(
            command_of(container, self._entry_points),
            environment_of(container, self._environment, self._secrets, gpus),
            next_log(self._logs, name),
            grace=float(pod.get("terminationGracePeriodSeconds", 30)),
            held=[self._lock.fileno()] if self._lock else [],
        )
        self._running[job["metadata"]["uid"]] = _RunningJob(child, wanted, gpus)

    def terminate(self, uid: str) -> None:
        """Ask the attempt of a Job to end. Returns at once."""
        self._running[uid].child.terminate()

    def forget(self, uid: str) -> None:
        """Free the resources of an attempt that has ended."""
        self._running.pop(uid, None)

    def end_orphans(self, known: Set[str]) -> None:
        """End the attempts of Jobs that have been deleted; each keeps its resources until it is gone."""
        for uid in self._running.keys() - known:
            if self._running[uid].child.poll() is None:
                self.terminate(uid)
            else:
                self.forget(uid)

    def stop(self) -> None:
        """Terminate all attempts and wait for their end."""
        for one in self._running.values():
            one.child.terminate()
        for one in self._running.values():
            one.child.wait(one.child.grace + 5.0)
        if self._lock is not None:
            self._lock.close()

    def _used(self) -> Resources:
        return sum((one.wanted for one in self._running.values()), Resources())

    def _free_gpus(self, count: int) -> tuple[int, ...]:
        taken = {gpu for one in self._running.values() for gpu in one.gpus}
        return tuple(gpu for gpu in range(self._capacity.gpus) if gpu not in taken)[:count]
