"""knoll on a real cluster: one installation for the whole session, in a namespace of its own, and what a user
can do with it."""

import base64
import importlib.util
import json
import os
import shlex
import socket
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any
from urllib.parse import urlsplit

import boto3
import httpx
import pytest
import yaml
from botocore.client import Config

from knoll.adapters.cluster_kubernetes import KubernetesCluster
from knoll.adapters.store_s3 import S3Store
from knoll.errors import NotFound, StoreUnavailable
from knoll.events import TRAINING_SUCCEEDED
from knoll.installation import SIGN_FILE, SIGNING_SECRET
from knoll.keys import read_signer
from knoll.laptop.ports import free_port
from knoll.names import join, run_id
from knoll.ports import Bucket, Document
from knoll.records.attestation import attest
from knoll.records.claim import claim_uri
from knoll.records.late_cause import late_cause_uri
from knoll.records.manifest import (
    ATTESTATION,
    entry_of,
    load_manifest,
    manifest_uri,
    version_uri,
    versions_uri,
)
from knoll.records.outcome import Outcome, outcome_uri
from knoll.records.rollout import rollouts_uri
from knoll.records.run import load_run, run_uri, runs_uri
from knoll.repeating import repeating
from support.candidates import Kind, announced, publish_candidate

ROOT = Path(__file__).parents[2]
Kubectl = Callable[..., str]
Until = Callable[..., None]
EVERY_TEN_SECONDS = "*/10 * * * * *"
ONCE_A_YEAR = "0 0 0 1 1 *"
LAST = ("test_benchmark.py", "test_idle.py", "test_outage.py")
NOWHERE = "http://nowhere.invalid/"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The benchmark comes before the test of idleness: while it uses its own installation, this one falls
    asleep, which saves a wait. The tests that take the API server away come last, because some ways through
    it do not come back, such as the one to the broker."""
    items.sort(key=lambda item: LAST.index(item.path.name) if item.path.name in LAST else -1)


def load_deploy(name: str = "deploy") -> ModuleType:
    """A script of deploy/, which is in no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "deploy" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass
class Traffic:
    """The answers to a client that asked without pause: counts by version, and each answer that was not 200
    from a known version."""

    versions: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """All requests."""
        return self.versions.total() + len(self.failures)


@dataclass
class Installation:
    """knoll in one namespace, with its store and the gateway to its predictors."""

    namespace: str
    environment: Mapping[str, str]
    folder: Path
    kubectl: Kubectl
    until: Until
    cluster: KubernetesCluster
    store: S3Store
    broker: str

    @property
    def root(self) -> str:
        """URI of the model bucket."""
        return f"s3://{self.environment['KNOLL_MODEL_BUCKET']}"

    @property
    def datasets(self) -> str:
        """The bucket for data."""
        return f"{self.namespace}-data"

    def apply(self, document: Document) -> None:
        """kubectl apply in the namespace."""
        self.kubectl("apply", "-n", self.namespace, "-f", "-", stdin=yaml.safe_dump(document))

    def declare(
        self,
        name: str,
        training: Mapping[str, Any] = MappingProxyType({}),
        resources: Mapping[str, Any] = MappingProxyType({}),
        gate: Mapping[str, Any] = MappingProxyType({"metric": "accuracy", "atLeast": 0.5}),
        **rollout: Any,
    ) -> None:
        """Apply a Model that learns digits from this namespace's bucket, in seconds. `resources` are further
        ones of its predictors."""
        document = yaml.safe_load((ROOT / "examples" / "digits" / "model.yaml").read_text())
        document["metadata"] = {"name": name}
        spec = document["spec"]
        spec["dataset"] = {"uri": f"s3://{self.datasets}/{name}/", "landed": {"when": "marker"}}
        spec["training"] |= {
            "config": {"epochs": 6, "batchSize": 32},
            "resources": {"cpu": "200m", "memory": "1Gi"},
            "deadline": "10m",
        }
        spec["training"] |= training
        spec["gate"] = dict(gate)
        spec["serving"] = {
            "minReplicas": 0,
            "maxReplicas": 2,
            "concurrency": 8,
            "resources": {"cpu": "50m", "memory": "384Mi", **resources},
        }
        spec["rollout"] = {
            "steps": [20, 50],
            "minRequests": 20,
            "margin": 0.05,
            "bake": "3s",
            "idle": "replay",
            "progressDeadline": "180s",
        } | rollout
        if spec["rollout"].get("mode") == "shadow" or spec["rollout"].get("strategy") == "resource":
            del spec["rollout"]["steps"]
        self.apply(document)

    def upload(self, name: str, folder: Path) -> None:
        """Upload every file, and the marker last, as a user does with boto3."""
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        with ThreadPoolExecutor(8) as pool:
            for _ in pool.map(
                lambda path: self.store.put(
                    self.data(name, str(path.relative_to(folder))), path.read_bytes()
                ),
                files,
            ):
                pass
        self.store.put(self.data(name, "_SUCCESS"), b"")

    def data(self, name: str, key: str) -> str:
        """URI of an object of the model's dataset."""
        return f"s3://{self.datasets}/{name}/{key}"

    def status(self, name: str) -> dict[str, Any]:
        """The status of a Model."""
        status: dict[str, Any] = self.cluster.get("Model", name).get("status") or {}
        return status

    def wait_for_champion(self, name: str, version: str, seconds: float = 240) -> None:
        """Wait until the version is the champion, no rollout is in progress, and the InferenceService is as
        the slot says."""

        def is_settled() -> bool:
            status = self.status(name)
            if (status.get("champion"), status.get("phase")) != (version, "Idle") or not self.exists(
                "InferenceService", name
            ):
                return False
            return "canaryTrafficPercent" not in self.isvc(name)["spec"][
                "predictor"
            ] and "Promote 100" in self.steps(name, version)

        self.until(is_settled, seconds)

    def land(self, name: str, content: bytes) -> str:
        """Upload one object and the marker. Returns the id of the run that this opens."""
        before = set(self.runs(name))
        self.store.put(self.data(name, "data"), content)
        self.store.put(self.data(name, "_SUCCESS"), b"")
        self.until(lambda: set(self.runs(name)) - before, 60)
        [run] = set(self.runs(name)) - before
        return run

    def jobs(self, name: str) -> list[str]:
        """Names of the model's Jobs."""
        return [one["metadata"]["name"] for one in self.cluster.list("Job", {"knoll.dev/model": name})]

    def runs(self, name: str) -> list[str]:
        """Ids of the model's runs."""
        return [
            one.uri.rpartition("/")[2].removesuffix(".json")
            for one in self.store.list(runs_uri(self.root) + f"{name}-")
        ]

    def versions(self, name: str) -> list[str]:
        """The versions that exist: those with a manifest."""
        listed = self.store.list(versions_uri(self.root, name))
        return [one.uri.split("/")[-2] for one in listed if one.uri.endswith("/manifest.json")]

    def records(self, name: str, version: str) -> list[dict[str, Any]]:
        """The records of a rollout."""
        listed = self.store.list(join(rollouts_uri(self.root, name), version, ""))
        return [json.loads(self.store.get(one.uri)) for one in listed]

    def steps(self, name: str, version: str) -> list[str]:
        """Actions and percentages of a rollout, from its records."""
        return [f"{one['action']} {one['percent']}" for one in self.records(name, version)]

    def isvc(self, name: str) -> Document:
        """The model's InferenceService."""
        return self.cluster.get("InferenceService", name)

    def record(self, uri: str) -> dict[str, Any]:
        """A JSON object of the model bucket; {} if it is not there."""
        try:
            found: dict[str, Any] = json.loads(self.store.get(uri))
        except NotFound:
            return {}
        return found

    def traffic(self, name: str) -> list[tuple[int, str]]:
        """Percent and tag of each target, as KServe reports them."""
        predictor = (self.isvc(name).get("status") or {}).get("components", {}).get("predictor", {})
        return [(one.get("percent") or 0, one.get("tag", "")) for one in predictor.get("traffic") or []]

    def share_of(self, name: str, version: str) -> int:
        """Percent of the traffic that goes to Revisions of a version, as KServe reports it."""
        labels = {"knoll.dev/model": name, "knoll.dev/version": version}
        mine = {one["metadata"]["name"] for one in self.cluster.list("Revision", labels)}
        predictor = (self.isvc(name).get("status") or {}).get("components", {}).get("predictor", {})
        targets = predictor.get("traffic") or []
        return sum(one.get("percent") or 0 for one in targets if one.get("revisionName") in mine)

    def predict(self, name: str, body: Any) -> httpx.Response:
        """Ask as a user does. The answer may wait for a cold start."""
        return self.ask(name, f"/v1/models/{name}:predict", body)

    def ask(self, name: str, path: str, body: Any = None) -> httpx.Response:
        """Get a path of a model's predictor, or post a body there. It goes through the gateway, if there is
        one."""
        host = self.host(name)
        url = (self.environment.get("GATEWAY_URL") or f"http://{host}") + path
        method = "GET" if body is None else "POST"
        return httpx.request(method, url, json=body, headers={"host": host}, timeout=90, trust_env=False)

    def host(self, name: str) -> str:
        """The name of a predictor outside the cluster."""
        if domain := self.environment.get("GATEWAY_DOMAIN"):
            return f"{name}-predictor.{self.namespace}.{domain}"
        url: str = self.isvc(name)["status"]["components"]["predictor"]["url"]
        return urlsplit(url).netloc

    def publish(self, event: Document, to: str = "") -> int:
        """Post a structured event to the broker. Returns the broker's answer."""
        content = json.dumps(
            {"specversion": "1.0", "source": "/test", "time": "2026-01-01T00:00:00Z"} | event
        )
        headers = {"content-type": "application/cloudevents+json"}
        return httpx.post(
            to or self.broker, content=content, headers=headers, timeout=240, trust_env=False
        ).status_code

    def exists(self, kind: str, name: str) -> bool:
        """Whether an object exists."""
        try:
            self.cluster.get(kind, name)
        except NotFound:
            return False
        return True

    def forget(self, name: str) -> None:
        """Delete a Model, and with it all objects that it owns."""
        self.kubectl("delete", "model", name, "-n", self.namespace)

    def replicas(self) -> dict[str, int]:
        """The Pods of functions and predictors that exist or are wanted."""
        found = json.loads(
            self.kubectl(
                "get", "deploy", "-n", self.namespace, "-l", "serving.knative.dev/service", "-o", "json"
            )
        )
        return {one["metadata"]["name"]: one["status"].get("replicas", 0) for one in found["items"]}

    @contextmanager
    def without_notifications(self) -> Iterator[None]:
        """Let the store post its notifications to an address that takes none."""
        self._notify(NOWHERE)
        try:
            yield
        finally:
            self._notify(load_deploy("overlay").notifications_url(self.environment))

    @contextmanager
    def without_ticks(self) -> Iterator[None]:
        """Stop the ticks, so that nothing wakes sweep."""
        self._tick(ONCE_A_YEAR)
        try:
            yield
        finally:
            self._tick(EVERY_TEN_SECONDS)

    def tick(self) -> None:
        """Wake sweep once."""
        assert self.publish({"id": uuid.uuid4().hex, "type": "dev.knoll.tick"}) == 202

    @contextmanager
    def without_trigger(self, name: str) -> Iterator[None]:
        """Remove one of the Triggers for a while."""
        self.kubectl("delete", "trigger", name, "-n", self.namespace, "--wait")
        try:
            yield
        finally:
            self.kubectl("apply", "-k", str(self.folder))
            self.kubectl(
                "wait", "--for=condition=Ready", f"trigger/{name}", "-n", self.namespace, "--timeout=60s"
            )

    def image(self, name: str) -> str:
        """The full name of one of knoll's images."""
        full: str = load_deploy("overlay").image(name, self.environment)
        return full

    def _notify(self, url: str) -> None:
        """Tell the store to post to this namespace. Without the command, do nothing."""
        if self.environment.get("NOTIFY_COMMAND"):
            subprocess.run(
                [*shlex.split(self.environment["NOTIFY_COMMAND"]), url], check=True, capture_output=True
            )
        self.until(lambda: answers(self.store, self.datasets), 60)

    def _tick(self, schedule: str) -> None:
        patch = json.dumps({"spec": {"schedule": schedule}})
        self.kubectl("patch", "pingsource", "knoll-tick", "-n", self.namespace, "--type=merge", "-p", patch)

    def give_version(self, source: tuple[str, str], target: tuple[str, str], *, broken: bool = False) -> None:
        """Publish a version with the files of another one, and announce it as a trainer does. In a broken
        one, a bit of the graph is flipped."""
        origin = load_manifest(self.store.get(manifest_uri(self.root, *source)))
        model, version = target
        run = run_id(model, "given", version)
        self.store.put(claim_uri(self.root, model, version), run.encode(), if_absent=True)
        made_of = load_run(self.store.get(run_uri(self.root, origin.run)))
        given = replace(made_of, id=run, model=model, model_uid="", prefix="")
        self.store.put(run_uri(self.root, run), given.encode(), if_absent=True)
        for file in origin.files:
            body = self.store.get(join(version_uri(self.root, *source), file))
            damaged = bytes([body[0] ^ 1]) + body[1:] if broken and file == "model.onnx" else body
            self.store.put(join(version_uri(self.root, *target), file), damaged)
        manifest = replace(origin, model=model, version=version, run=run)
        sha256 = entry_of(manifest.encode()).sha256
        attested = attest(model, version, sha256, read_signer(self.sign_key())).encode()
        self.store.put(join(version_uri(self.root, *target), ATTESTATION), attested)
        self.store.put(manifest_uri(self.root, *target), manifest.encode(), if_absent=True)
        self.store.put(
            outcome_uri(self.root, run),
            Outcome("succeeded", origin.created_at, version).encode(),
            if_absent=True,
        )
        self.announce({"model": model, "version": version})

    def try_candidate(self, kind: Kind, name: str) -> str:
        """Publish the next version of a Model, made of the first one of the digits, and announce it."""
        bucket = Bucket(self.store, self.root, sign_key=self.sign_key())
        sealed = publish_candidate(kind, name, bucket, of=("digits", "v000001"))
        self.announce(announced(sealed))
        return sealed.manifest.version

    def announce(self, data: Document) -> None:
        """Tell that a training has succeeded."""
        event = {"id": uuid.uuid4().hex, "type": TRAINING_SUCCEEDED, "data": data}
        assert self.publish(event) == 202

    def sign_key(self) -> str:
        """The key that signs, which only Pods of trainings get; a test may read the Secret."""
        found = json.loads(self.kubectl("get", "secret", SIGNING_SECRET, "-n", self.namespace, "-o", "json"))
        return base64.b64decode(found["data"][SIGN_FILE]).decode()

    @contextmanager
    def asking(self, name: str, body: Any, every: float = 0.1) -> Iterator[Traffic]:
        """A client that asks without pause while the block runs."""
        seen = Traffic()

        def ask() -> None:
            try:
                answer = self.predict(name, body)
            except httpx.HTTPError as error:
                seen.failures.append(repr(error))
                return
            version = answer.headers.get("x-model-version", "")
            if answer.status_code == 200 and version:
                seen.versions[version] += 1
            else:
                seen.failures.append(f"{answer.status_code} {answer.text[:200]}")

        with repeating(ask, every, 120):
            yield seen


def answers(store: S3Store, bucket: str) -> bool:
    """Whether the store is there. Some stores start again when they are told where to post."""
    try:
        list(store.list(f"s3://{bucket}/"))
    except StoreUnavailable:
        return False
    return True


@contextmanager
def port_forward(namespace: str, target: str) -> Iterator[int]:
    """A port of this machine that leads to a Service of the cluster."""
    port = free_port()
    command = ["kubectl", "port-forward", "-n", namespace, target, f"{port}:80"]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 30
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert child.poll() is None, child.stderr.read() if child.stderr else ""
            assert time.monotonic() < deadline, f"no way to {target} in {namespace}"
            time.sleep(0.1)
        yield port
    finally:
        child.terminate()
        child.wait()


def _need(*names: str) -> dict[str, str]:
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        pytest.skip(f"no surroundings: {', '.join(missing)} not set; docs/cluster.md says what they mean")
    return dict(os.environ)


def _remove(store: S3Store, bucket: str, environment: Mapping[str, str]) -> None:
    for one in list(store.list(f"s3://{bucket}/")):
        store.delete(one.uri)
    client = boto3.client(
        "s3", endpoint_url=environment.get("AWS_ENDPOINT_URL") or None, config=Config(proxies={})
    )
    client.delete_bucket(Bucket=bucket)


@pytest.fixture(scope="session")
def installation(kubectl: Kubectl, until: Until) -> Iterator[Installation]:
    """Install knoll as `make deploy` does, with a tick every ten seconds. Afterwards it is removed."""
    given = _need("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    name = f"knoll-test-{uuid.uuid4().hex[:6]}"
    environment = given | {"KNOLL_NAMESPACE": name, "KNOLL_MODEL_BUCKET": f"{name}-models"}
    deploy = load_deploy()
    store = S3Store(
        *(
            environment.get(key, "")
            for key in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")
        )
    )
    store.ensure_bucket(f"{name}-data")
    ticker = {
        "target": {"kind": "PingSource"},
        "patch": json.dumps([{"op": "replace", "path": "/spec/schedule", "value": EVERY_TEN_SECONDS}]),
    }
    try:
        deploy.deploy(environment, patches=[ticker])
        with port_forward("knative-eventing", "svc/broker-ingress") as port:
            yield Installation(
                namespace=name,
                environment=environment,
                folder=ROOT / "build" / "deploy" / name,
                kubectl=kubectl,
                until=until,
                cluster=KubernetesCluster(name),
                store=store,
                broker=f"http://127.0.0.1:{port}/{name}/default",
            )
    finally:
        kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")
        if given.get("NOTIFY_COMMAND"):
            subprocess.run(
                [*shlex.split(given["NOTIFY_COMMAND"]), deploy.notifications_url(given)],
                check=False,
                capture_output=True,
            )
        until(lambda: answers(store, f"{name}-data"), 60)
        for bucket in (f"{name}-data", f"{name}-models"):
            _remove(store, bucket, environment)


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function that makes a folder of real digits: `count` of each class, starting with number `start`."""
    everything = tmp_path_factory.mktemp("digits") / "all"
    subprocess.run(
        [sys.executable, str(ROOT / "examples" / "digits" / "data.py"), str(everything)],
        check=True,
        capture_output=True,
    )

    def some(classes: str = "017", start: int = 0, count: int = 30) -> Path:
        folder = tmp_path_factory.mktemp("some")
        for label in classes:
            (folder / label).mkdir(parents=True)
            for picture in sorted((everything / label).iterdir())[start : start + count]:
                (folder / label / picture.name).write_bytes(picture.read_bytes())
        return folder

    return some


@pytest.fixture(scope="session")
def seven(digits: Callable[..., Path]) -> dict[str, Any]:
    """A request with one picture of a seven."""
    picture = next(iter(sorted((digits("7", count=1) / "7").iterdir())))
    return {"instances": [{"b64": base64.b64encode(picture.read_bytes()).decode()}]}


@dataclass(frozen=True)
class First:
    """What existed when the first version became champion: which event told of its data, and its answer."""

    jobs: int
    runs: int
    versions: int
    cause: str
    answer: httpx.Response


@pytest.fixture(scope="session")
def first(installation: Installation, digits: Callable[..., Path], seven: dict[str, Any]) -> First:
    """The first version of the Model digits, made by one upload, has become the champion. If the store sends
    notifications, no tick helps."""
    installation.declare("digits")
    with installation.without_ticks() if installation.environment.get("NOTIFY_COMMAND") else nullcontext():
        installation.upload("digits", digits(start=0))
        installation.until(lambda: installation.jobs("digits"), 120)
    installation.wait_for_champion("digits", "v000001")
    jobs, runs, versions = (
        len(found("digits")) for found in (installation.jobs, installation.runs, installation.versions)
    )
    run = load_run(installation.store.get(run_uri(installation.root, installation.runs("digits")[0])))
    late = installation.record(late_cause_uri(installation.root, run.id))
    cause = (late or {"cause": run.cause})["cause"]["type"]
    return First(jobs, runs, versions, cause, installation.predict("digits", seven))
