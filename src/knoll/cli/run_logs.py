"""The output of a run's trainer: files on this machine, or logs of the Job's Pods on a cluster."""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Protocol

from knoll.errors import KnollError, NotFound
from knoll.kube.labels import JOB_LABEL
from knoll.ports import Document

if TYPE_CHECKING:
    from knoll.adapters.cluster_kubernetes import KubernetesCluster

__all__ = ["FileLogs", "Logs", "PodLogs"]

_PAUSE = 0.5  # seconds between looks for a further attempt


class Logs(Protocol):
    """The logs of one run."""

    def read(self) -> list[tuple[str, str]]:
        """Place and text of each log that is there, oldest attempt first."""

    def follow(self, is_over: Callable[[], bool]) -> Iterator[str]:
        """The text as it comes, until the run is over and everything is read."""


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
    """`Logs` of Pods. Several nodes may write at the same time; then each line names its Pod."""

    def __init__(self, cluster: "KubernetesCluster", run: str) -> None:
        self._cluster, self._run = cluster, run
        self._lines: SimpleQueue[tuple[str, str | KnollError | None]] = SimpleQueue()
        self._begun: dict[str, int] = {}  # lines read before the stream was opened
        self._counts: dict[str, int] = {}
        self._open: set[str] = set()

    def read(self) -> list[tuple[str, str]]:
        """See `Logs.read`."""
        names = [one["metadata"]["name"] for one in self._started()]
        return [(name, "".join(self._cluster.log(name))) for name in names]

    def follow(self, is_over: Callable[[], bool]) -> Iterator[str]:
        """See `Logs.follow`. If a stream breaks, it goes on where it stopped."""
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
