"""A laptop's serving half for tests: documents, processes and HTTP are real, only the predictor is a small
script."""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import httpx

from knoll.adapters.clock import SystemClock
from knoll.adapters.cluster_local import LocalCluster
from knoll.adapters.memory.events import MemoryEvents
from knoll.adapters.memory.store import MemoryStore
from knoll.errors import Conflict
from knoll.laptop.front import Front, Posted, listen
from knoll.laptop.secrets import Secrets
from knoll.laptop.serving.autoscaler import Autoscaler
from knoll.laptop.serving.examples import find_example
from knoll.laptop.serving.gateway import Gateway
from knoll.laptop.serving.inference_services import InferenceServices
from knoll.laptop.serving.options import ServingOptions
from knoll.ports import Bucket, Document
from knoll.request_limits import BODIES_LIMIT, ByteBudget

__all__ = ["PREDICTOR", "Eventually", "Laptop", "LaptopWith", "eventually"]

PREDICTOR = Path(__file__).with_name("small_predictor.py")
_Found = TypeVar("_Found")

TOKEN = "of this platform"


def eventually(condition: Callable[[], _Found], within: float = 20.0) -> _Found:
    """The first true value of `condition`, asked again and again."""
    deadline = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within} s"
        time.sleep(0.02)
    return found


class Laptop:
    """One running platform; `restart` brings up another one on the same documents."""

    def __init__(self, folder: Path, idle: float, progress_deadline: float) -> None:
        self.folder, self.events = folder, MemoryEvents()
        self.cluster = LocalCluster(folder / "knoll.db", "default", SystemClock())
        self.store = MemoryStore()
        self._times = (idle, progress_deadline)
        self.start()

    def start(self) -> None:
        bound = listen(0)
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        options = ServingOptions(
            url,
            self.folder / "logs",
            {"knoll-predictor": [sys.executable, str(PREDICTOR)]},
            Secrets({"knoll-s3": {"S3": "key"}}, self.cluster),
            {},
            *self._times,
            token=TOKEN,
        )
        isvcs = InferenceServices(self.cluster, self.events, SystemClock())
        self.autoscaler = Autoscaler(isvcs, options)
        self.bodies = ByteBudget(BODIES_LIMIT)
        examples = partial(find_example, Bucket(self.store, "s3://models"))
        self.gateway = Gateway(self.autoscaler, self.bodies, Random(7), 20.0, examples)
        echo = Posted(lambda headers, body: (202, {"content-type": headers["content-type"]}, body))
        self.front = Front(
            bound,
            token=TOKEN,
            broker=lambda *_: (202, {}, b""),
            functions={"echo": echo},
            routes=self.gateway.routes(),
            lifespan=self.gateway.lifespan,
        )
        self.front.start()
        self.http = httpx.Client(base_url=self.front.url, trust_env=False, timeout=30.0)

    def stop(self) -> None:
        self.http.close()
        self.front.stop()

    def restart(self) -> None:
        self.stop()
        self.start()

    def apply(
        self,
        *args: str,
        name: str = "digits",
        canary: int | None = None,
        env: Sequence[Document] = (),
        **predictor: object,
    ) -> None:
        container = {
            "name": "kserve-container",
            "image": "ghcr.io/x/knoll-predictor:1",
            "args": [*args, "--starts", str(self.folder / f"{name}.starts")],
            "env": [*env],
            "envFrom": [{"secretRef": {"name": "knoll-s3"}}],
            "readinessProbe": {"httpGet": {"path": f"/v2/models/{name}/ready", "port": 8080}},
        }
        spec: Document = {"predictor": {"minReplicas": 0, **predictor, "containers": [container]}}
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
        eventually(lambda: self._replace(name, spec))

    def _replace(self, name: str, spec: Document) -> bool:
        try:
            self.cluster.update({**self.cluster.get("InferenceService", name), "spec": spec})
        except Conflict:
            return False
        return True

    def status(self, name: str = "digits") -> Document:
        status: Document = self.cluster.get("InferenceService", name).get("status", {})
        return status

    def is_settled(self, name: str = "digits") -> bool:
        document = self.cluster.get("InferenceService", name)
        status = document.get("status", {})
        is_current = status.get("observedGeneration") == document["metadata"]["generation"]
        return bool(is_current and status["modelStatus"]["transitionStatus"] == "UpToDate")

    def serve(self, *args: str, name: str = "digits", **rest: Any) -> None:
        """`apply`, and wait until its revision is ready."""
        self.apply(*args, name=name, **rest)
        eventually(lambda: self.is_settled(name))

    def starts(self, name: str = "digits") -> int:
        return len((self.folder / f"{name}.starts").read_text().split())

    def predict(self, prefix: str = "", model: str = "digits", **rest: Any) -> httpx.Response:
        return self.http.post(f"{prefix}/v1/models/{model}:predict", **({"json": {"instances": [1]}} | rest))


Eventually = Callable[[Callable[[], object]], Any]
LaptopWith = Callable[..., AbstractContextManager[Laptop]]
