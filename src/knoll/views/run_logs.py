"""The output of a run's trainer: files on this machine; on a cluster the logs of the Job's Pods, and what the
trainer has kept of the logs of Pods that are gone."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Protocol

from knoll.errors import KnollError, NotFound, Unavailable
from knoll.kube.labels import JOB_LABEL
from knoll.ports import Document, Platform
from knoll.records.run_log import RunLog, find_run_logs

__all__ = ["FileLogs", "Logs", "PodLogs", "kept_logs", "ran_at"]

_PAUSE = 0.5  # seconds between looks for a further attempt


class Logs(Protocol):
    """The logs of one run."""

    def read(self) -> list[tuple[str, str]]:
        """Place and text of each log that is there, oldest attempt first."""

    def follow(self, is_over: Callable[[], bool]) -> Iterator[str]:
        """The text as it comes, until the run is over and everything is read."""


class LoggingCluster(Protocol):
    """What is asked of a cluster whose Pods have logs."""

    def list(self, kind: str, labels: Mapping[str, str] | None = None) -> list[Document]:
        """See `Cluster.list`."""

    def log(self, pod: str, *, follow: bool = False) -> Iterator[str]:
        """The lines of a Pod's log, their ends included; with `follow` until the Pod has ended. Raises
        NotFound, Rejected or Unavailable."""


class FileLogs:
    """`Logs` in files, one for each attempt; `paths` lists them."""

    def __init__(self, paths: Callable[[], Sequence[Path]]) -> None:
        self._paths = paths

    def read(self) -> list[tuple[str, str]]:
        """See `Logs.read`."""
        return [(str(path), path.read_text(errors="replace")) for path in self._paths()]

    def follow(self, is_over: Callable[[], bool]) -> Iterator[str]:
        """See `Logs.follow`."""
        read: dict[Path, int] = {}
        while True:
            over = is_over()
            for path in self._paths():
                with path.open(errors="replace") as file:
                    file.seek(read.get(path, 0))
                    yield file.read()
                    read[path] = file.tell()
            if over:
                return
            time.sleep(_PAUSE)


class PodLogs:
    """`Logs` of Pods. Several nodes may write at the same time; then each line names its Pod. `kept` reads
    the logs that outlive their Pods."""

    def __init__(
        self, cluster: LoggingCluster, run: str, kept: Callable[[], Sequence[RunLog]] = tuple
    ) -> None:
        self._cluster, self._run, self._kept = cluster, run, kept
        self._lines: SimpleQueue[tuple[str, str | KnollError | None]] = SimpleQueue()
        self._begun: dict[str, int] = {}  # lines read before the stream was opened
        self._counts: dict[str, int] = {}
        self._open: set[str] = set()

    def read(self) -> list[tuple[str, str]]:
        """See `Logs.read`. Raises what the first Pod raises if no log can be read."""
        read, there, faults = [], [], list[KnollError]()
        for pod in self._started():
            name = pod["metadata"]["name"]
            try:
                read.append((name, "".join(self._cluster.log(name))))
                there.append(pod)
            except (NotFound, Unavailable) as error:  # it goes, or its node is gone
                faults.append(error)
        found = [*self._of_gone(there), *read]
        if faults and not found:
            raise faults[0]
        return found

    def _of_gone(self, there: Sequence[Document]) -> list[tuple[str, str]]:
        """What is kept of Pods that are not there."""
        return [
            (one.uri, one.text)
            for one in self._kept()
            if not any(ran_at(pod, one.begun.timestamp()) for pod in there)
        ]

    def follow(self, is_over: Callable[[], bool]) -> Iterator[str]:
        """See `Logs.follow`. If a stream breaks, it goes on where it stopped."""
        yield from (text for _, text in self._of_gone(self._started()))
        while True:
            over = is_over()
            for pod in self._started():
                self._listen(pod)
            if over and not self._open:
                return
            yield from self._heard()

    def _started(self) -> list[Document]:
        pods = self._cluster.list("Pod", {JOB_LABEL: self._run})
        started = [one for one in pods if (one.get("status") or {}).get("phase") not in (None, "Pending")]
        return sorted(
            started, key=lambda one: (one["metadata"]["creationTimestamp"], one["metadata"]["name"])
        )

    def _listen(self, pod: Document) -> None:
        """Read a Pod's log in the background, unless it is being read or was read to its end."""
        name = pod["metadata"]["name"]
        if name in self._open or (name in self._counts and pod["status"]["phase"] != "Running"):
            return
        self._begun[name] = self._counts.setdefault(name, 0)
        self._open.add(name)
        Thread(target=self._stream, args=(name, self._begun[name]), daemon=True).start()

    def _stream(self, name: str, skip: int) -> None:
        end: KnollError | None = None
        try:
            for line in islice(self._cluster.log(name, follow=True), skip, None):
                self._lines.put((name, line))
        except NotFound:
            pass  # the Pod is gone, and its log with it
        except KnollError as error:
            end = error
        self._lines.put((name, end))

    def _close(self, name: str, error: KnollError | None) -> None:
        """Let a stream that broke be opened again. Raises its error if it broke before the first line, as for
        users who may not read logs."""
        self._open.discard(name)
        if error is not None and self._counts[name] == self._begun[name]:
            raise error

    def _heard(self) -> Iterator[str]:
        """The lines that have come meanwhile, until there is a pause."""
        while True:
            try:
                name, line = self._lines.get(timeout=_PAUSE)
            except Empty:
                return
            if not isinstance(line, str):
                self._close(name, line)
                return
            self._counts[name] += 1
            yield f"{name.removeprefix(self._run)[1:]} | {line}" if len(self._counts) > 1 else line


def kept_logs(run: str, platform: Platform) -> Sequence[RunLog]:
    """What the trainer has kept of the logs of a run, the oldest attempt first."""
    return find_run_logs(run, platform.bucket)


def ran_at(pod: Document, moment: float) -> bool:
    """Whether a container of the Pod ran then, in seconds since 1970, by the clock of its node. Kubernetes
    cuts times to whole seconds."""
    for one in (pod.get("status") or {}).get("containerStatuses") or ():
        state = one.get("state") or {}
        lived = state.get("terminated") or state.get("running") or {}
        begun, ended = (_seconds(lived.get(name)) for name in ("startedAt", "finishedAt"))
        if begun is not None and begun <= moment and (ended is None or moment < ended + 1):
            return True
    return False


def _seconds(time: str | None) -> float | None:
    return datetime.fromisoformat(time).timestamp() if time else None
