"""The surroundings of the burst: an S3 server with data, documents, a receiver that is killed, and Jobs that
end without training."""

import os
import resource
import shutil
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from time import monotonic
from types import TracebackType
from typing import Self

import httpx
from burst_client import TOKEN
from place import until

from knoll.adapters.clock import SystemClock
from knoll.adapters.cluster_local import LocalCluster
from knoll.adapters.store_s3 import S3Store
from knoll.errors import Conflict
from knoll.events import object_changed
from knoll.events.http import event_to_http
from knoll.kube.jobs import is_live
from knoll.laptop.seaweed import SeaweedFS, find_or_make_keys
from knoll.names import model_of_run
from knoll.ports import Document
from knoll.records.outcome import Outcome, outcome_uri
from knoll.records.probe import probe_uri
from knoll.records.run import load_run, runs_uri

__all__ = ["Jobs", "Receiver", "World", "declare", "upload", "write_markers"]

_NEVER = {"cpu": "1000"}  # more processors than there are
_TRAINS = (1.0, 3.0)  # seconds that a Job lives, the least and the most
_EVERY = 0.05  # seconds between two looks
_ROOT = "s3://knoll-models"


class World:
    """A folder with an S3 server that sends no notifications: the benchmark sends them."""

    def __init__(self, folder: Path, quota: int) -> None:
        self.folder = folder
        keys = find_or_make_keys(folder / "keys.json")
        self._server = SeaweedFS(folder / "s3", keys, folder / "weed.log")
        self._server.wait_ready()
        self.store = S3Store(self._server.endpoint, keys.access, keys.secret, "us-east-1")
        self.store.ensure_bucket("data")
        self.cluster = LocalCluster(folder / "ours" / "knoll.db", "default", SystemClock())
        self.environment = {
            "AWS_ENDPOINT_URL": self._server.endpoint,
            "AWS_ACCESS_KEY_ID": keys.access,
            "AWS_SECRET_ACCESS_KEY": keys.secret,
            "KNOLL_QUOTA": str(quota),
            "KNOLL_TOKEN": TOKEN,
        }

    def peer_jobs(self) -> list[Document]:
        """The Jobs of the launcher, which has documents of its own."""
        return LocalCluster(self.folder / "peer" / "knoll.db", "default", SystemClock()).list("Job")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def declare(name: str, world: World) -> None:
    """A Model whose Jobs never run."""
    dataset = {"uri": f"s3://data/{name}/", "landed": {"when": "marker"}}
    spec = {"family": "image-classifier", "dataset": dataset, "training": {"resources": _NEVER}}
    world.cluster.create(
        {"apiVersion": "knoll.dev/v1alpha1", "kind": "Model", "metadata": {"name": name}, "spec": spec}
    )


def upload(names: Sequence[str], objects: Sequence[str], world: World) -> None:
    """Write these objects into the dataset of each name."""
    uris = [f"s3://data/{name}/{one}" for name in names for one in objects]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda uri: world.store.put(uri, b"hello"), uris))


def write_markers(names: Sequence[str], world: World) -> None:
    """Write the markers: all of the data is there."""
    for name in names:
        world.store.put(f"s3://data/{name}/_SUCCESS", b"")


class Receiver:
    """The receiver of the notifications: a process on a port that stays the same, and a file with a line for
    each call to the API server."""

    def __init__(self, who: str, world: World) -> None:
        self._who, self._world, self._calls = who, world, world.folder / f"{who}.calls"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]

    def __enter__(self) -> Self:
        self._start()
        until(self._is_ready, 60, f"{self._who} is ready", 0.05)
        if self._who == "ours":  # its first start in a bucket finds out what conditional writes are worth
            until(lambda: any(self._world.store.list(probe_uri(_ROOT))), 60, "the store is known", 0.05)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(60)

    def restart(self) -> None:
        """kill -9, and start it again. Senders find out when it is back."""
        self._process.kill()
        self._process.wait()
        self._start()

    def calls(self) -> Counter[str]:
        """The calls by function since they were last asked for."""
        lines = Counter(self._lines())
        self._calls.write_text("")
        return lines

    def calls_so_far(self, cause: str) -> int:
        """The calls on behalf of a type of event since `calls` was last asked."""
        return sum(line.startswith(f"{cause} ") for line in self._lines())

    def memory(self) -> int:
        """The resident memory of the process in bytes."""
        return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * resource.getpagesize()

    def _lines(self) -> list[str]:
        return self._calls.read_text().splitlines() if self._calls.exists() else []

    def _start(self) -> None:
        home = self._world.folder / self._who
        own = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "KNOLL_HOME": str(home),
            "KNOLL_PORT": str(self.port),
        }
        home.mkdir(exist_ok=True)
        with (home / "log").open("ab") as log:
            script = str(Path(__file__).with_name("burst_platform.py"))
            command = [sys.executable, script, self._who, str(self._calls)]
            self._process = subprocess.Popen(
                command, env={**own, **self._world.environment}, stdout=log, stderr=log
            )

    def _is_ready(self) -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(f"http://127.0.0.1:{self.port}/healthz", trust_env=False).is_success
        return False


class Jobs:
    """Watches the Jobs, and ends each after a while as if its training had failed."""

    def __init__(self, world: World, port: int) -> None:
        self.seen: dict[str, float] = {}
        self.most = self.ended = 0
        self._world, self._broker = world, f"http://127.0.0.1:{port}/broker"

    def __enter__(self) -> Self:
        self._looking = _repeated(self._look)
        self._looking.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._looking.__exit__(kind, error, trace)

    def runs(self) -> Counter[str]:
        """The number of runs of each Model."""
        return Counter(
            model_of_run(one.uri.rpartition("/")[2].removesuffix(".json"))
            for one in self._world.store.list(runs_uri(_ROOT))
        )

    def causes(self) -> Counter[str]:
        """The number of runs that events of each type have opened."""
        records = [
            load_run(self._world.store.get(one.uri)) for one in self._world.store.list(runs_uri(_ROOT))
        ]
        return Counter(one.cause["type"] for one in records)

    def _look(self) -> None:
        live = [one["metadata"]["name"] for one in self._world.cluster.list("Job") if is_live(one)]
        self.most = max(self.most, len(live))
        for name in live:
            if monotonic() - self.seen.setdefault(name, monotonic()) >= Random(name).uniform(*_TRAINS):
                self._end(name)

    def _end(self, run: str) -> None:
        now = datetime.now(UTC)
        self._world.store.put(
            outcome_uri(_ROOT, run), Outcome("failed", now.isoformat(), reason="measured").encode()
        )
        done = {"conditions": [{"type": "Failed", "status": "True", "lastTransitionTime": now.isoformat()}]}
        try:
            job = self._world.cluster.update(
                {**self._world.cluster.get("Job", run), "status": done}, status=True
            )
        except Conflict:
            return  # the next look tries again
        self.ended += 1
        headers, body = event_to_http(object_changed(job, source="/bench", time=now))
        headers["authorization"] = f"Bearer {TOKEN}"
        with suppress(httpx.TransportError):  # killed just now: the first tick finds the outcome
            httpx.post(self._broker, content=body, headers=headers, trust_env=False, timeout=60)


@contextmanager
def _repeated(act: Callable[[], object]) -> Iterator[None]:
    """Act again and again on a thread of its own. An error there ends the measurement."""
    over, failed = threading.Event(), []

    def run() -> None:
        while not over.wait(_EVERY):
            try:
                act()
            except Exception as error:
                failed.append(error)
                return

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if failed:
        raise failed[0]
