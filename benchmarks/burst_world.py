"""The surroundings of the burst: an S3 server with data, documents, and a receiver that is killed."""

import os
import resource
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
from burst_client import TOKEN
from place import until

from knoll.adapters.clock import SystemClock
from knoll.adapters.cluster_local import LocalCluster
from knoll.adapters.store_s3 import S3Store
from knoll.laptop.ports import free_port
from knoll.laptop.seaweed import SeaweedFS, find_or_make_keys
from knoll.models import API_VERSION, KIND
from knoll.ports import Document
from knoll.records.probe import probe_uri

__all__ = ["ROOT", "Receiver", "World", "declare", "has_seen_models", "upload", "write_markers"]

_NEVER = {"cpu": "1000"}  # more processors than there are
ROOT = "s3://knoll-models"


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
    world.cluster.create({"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": spec})


def has_seen_models(world: World) -> bool:
    """Whether a tick has looked at the dataset of each Model."""
    return all((one.get("status") or {}).get("dataset") for one in world.cluster.list("Model"))


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
        self.port = free_port()

    def __enter__(self) -> Self:
        self._start()
        until(self._is_ready, 60, f"{self._who} is ready", 0.05)
        if self._who == "ours":  # its first start in a bucket finds out what conditional writes are worth
            until(lambda: any(self._world.store.list(probe_uri(ROOT))), 60, "the store is known", 0.05)
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
