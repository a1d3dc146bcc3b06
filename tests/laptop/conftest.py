"""A laptop's serving half for tests: real documents, real processes, real HTTP; only the model server is a
small script."""

import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from random import Random

import httpx
import pytest

from knoll.adapters.clock import SystemClock
from knoll.adapters.cluster_local import LocalCluster
from knoll.errors import Conflict
from knoll.laptop.front import Front, listen
from knoll.laptop.serving.autoscaler import Hosting, Servers
from knoll.laptop.serving.gateway import Gateway
from knoll.laptop.serving.inference_services import Services

_SERVER = Path(__file__).with_name("model_server.py")


def _eventually(condition: Callable[[], object], within: float = 20.0):
    """The first true value of `condition`, asked again and again."""
    deadline = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within} s"
        time.sleep(0.02)
    return found


class Sent(list):
    """`ports.Events` that ends in a list."""

    publish = list.append


class Laptop:
    """One running platform; `restart` brings up another one on the same documents."""

    def __init__(self, folder: Path, idle: float, progress_deadline: float) -> None:
        self.folder, self.sent = folder, Sent()
        self.cluster = LocalCluster(folder / "knoll.db", "default", SystemClock())
        self._times = (idle, progress_deadline)
        self.start()

    def start(self) -> None:
        bound = listen(0)
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        hosting = Hosting(
            url,
            self.folder / "logs",
            {"knoll-predictor": [sys.executable, str(_SERVER)]},
            {"knoll-s3": {"S3": "key"}},
            {},
            *self._times,
        )
        self.servers = Servers(Services(self.cluster, self.sent, SystemClock()), hosting)
        routes = Gateway(self.servers, Random(7), patience=20.0).routes()
        functions = {"echo": lambda headers, body: (202, {"content-type": headers["content-type"]}, body)}
        self.front = Front(
            bound,
            broker=lambda *_: (202, {}, b""),
            functions=functions,
            routes=routes,
            lifespan=lambda: self.servers,
        )
        self.front.start()
        self.http = httpx.Client(base_url=self.front.url, trust_env=False, timeout=30.0)

    def stop(self) -> None:
        self.http.close()
        self.front.stop()

    def restart(self) -> None:
        self.stop()
        self.start()

    def apply(self, *args: str, name: str = "digits", canary: int | None = None, **predictor: object) -> None:
        container = {
            "name": "kserve-container",
            "image": "ghcr.io/x/knoll-predictor:1",
            "args": [*args, "--starts", str(self.folder / f"{name}.starts")],
            "envFrom": [{"secretRef": {"name": "knoll-s3"}}],
            "readinessProbe": {"httpGet": {"path": f"/v2/models/{name}/ready", "port": 8080}},
        }
        spec = {"predictor": {"minReplicas": 0, **predictor, "containers": [container]}}
        if canary is not None:
            spec["predictor"]["canaryTrafficPercent"] = canary
        document = {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": name, "annotations": {"serving.kserve.io/enable-tag-routing": "true"}},
            "spec": spec,
        }
        if name not in {one["metadata"]["name"] for one in self.cluster.list("InferenceService")}:
            self.cluster.create(document)
            return
        _eventually(lambda: self._replace(name, spec))

    def _replace(self, name: str, spec: dict) -> bool:
        try:
            self.cluster.update({**self.cluster.get("InferenceService", name), "spec": spec})
        except Conflict:
            return False
        return True

    def status(self, name: str = "digits") -> dict:
        return self.cluster.get("InferenceService", name).get("status", {})

    def is_settled(self, name: str = "digits") -> bool:
        document = self.cluster.get("InferenceService", name)
        status = document.get("status", {})
        is_current = status.get("observedGeneration") == document["metadata"]["generation"]
        return is_current and status["modelStatus"]["transitionStatus"] == "UpToDate"

    def serve(self, *args: str, **rest: object) -> None:
        """`apply`, and wait until its revision is ready."""
        self.apply(*args, **rest)
        _eventually(self.is_settled if "name" not in rest else lambda: self.is_settled(rest["name"]))

    def starts(self, name: str = "digits") -> int:
        return len((self.folder / f"{name}.starts").read_text().split())

    def predict(self, prefix: str = "", model: str = "digits", **rest: object) -> httpx.Response:
        return self.http.post(f"{prefix}/v1/models/{model}:predict", **({"json": {"instances": [1]}} | rest))


@pytest.fixture
def eventually():
    """Waits for a condition: its first true value, within 20 seconds."""
    return _eventually


@pytest.fixture
def laptop_with(tmp_path: Path):
    """A running laptop with given times, in seconds."""

    @contextmanager
    def run(idle: float = 60.0, progress_deadline: float = 20.0):
        laptop = Laptop(tmp_path, idle, progress_deadline)
        try:
            yield laptop
        finally:
            laptop.stop()

    return run


@pytest.fixture
def laptop(laptop_with):
    """A running laptop with patient times."""
    with laptop_with() as running:
        yield running
