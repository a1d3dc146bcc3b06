"""Each function starts alone, as it is deployed, and answers over HTTP as a broker understands it."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from knoll.adapters.clock import SystemClock
from knoll.adapters.cluster_local import LocalCluster
from knoll.adapters.store_s3 import S3Store
from knoll.dead_letters.letters import read_dead_letters
from knoll.laptop.ports import free_port
from knoll.ports import Bucket
from knoll.wiring.stages import STAGES

ROOT = Path(__file__).parents[2]
NOTIFICATION = (ROOT / "tests/events/seaweedfs/put-empty.json").read_bytes()
FUNCTIONS = ["ingest", "notifications", "train", "rollout", "sweep"]


def event(type: str, data: object) -> dict[str, object]:
    return {
        "specversion": "1.0",
        "id": "1",
        "source": "/test",
        "type": type,
        "time": "2026-01-01T00:00:00Z",
        "data": data,
    }


@contextmanager
def sink() -> Iterator[tuple[str, list[dict[str, object]]]]:
    """A broker that takes every event."""
    taken: list[dict[str, object]] = []

    class Ingress(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(202)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Ingress)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", taken
    finally:
        server.shutdown()


@contextmanager
def deployed(name: str, environment: Mapping[str, str]) -> Iterator[str]:
    """The function in a process of its own; yields its URL once it is ready."""
    port = free_port()
    target = name.replace("-", "_")
    command = [
        sys.executable,
        "-m",
        "functions_framework",
        "--target",
        target,
        "--source",
        str(ROOT / "functions" / name / "main.py"),
    ]
    child = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)], env={"PATH": "/usr/bin:/bin", **environment}
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 90
        while not _is_ready(url):
            assert child.poll() is None, "the function ended"
            assert time.monotonic() < deadline, "the function is not ready after 90 s"
            time.sleep(0.05)
        yield url
    finally:
        child.terminate()
        child.wait(60)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/readiness").status_code == 200
    except httpx.TransportError:
        return False


def post(url: str, body: object) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(
        url, content=content, headers={"content-type": "application/cloudevents+json"}, timeout=30
    )


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, s3: Any) -> dict[str, str]:
    home = tmp_path_factory.mktemp("home")
    cluster = LocalCluster(home / "knoll.db", "default", SystemClock())
    spec = {"family": "image-classifier", "dataset": {"uri": "s3://datasets/digits/"}}
    cluster.create(
        {"apiVersion": "knoll.dev/v1alpha1", "kind": "Model", "metadata": {"name": "digits"}, "spec": spec}
    )
    return {
        "KNOLL_HOME": str(home),
        "AWS_ENDPOINT_URL": s3.endpoint,
        "AWS_ACCESS_KEY_ID": s3.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.secret_key,
    }


@dataclass(frozen=True)
class Deployed:
    """Functions that run, each from its first use on, and the events that their broker has taken."""

    environment: Mapping[str, str]
    taken: Sequence[Mapping[str, object]]
    stack: ExitStack
    urls: dict[str, str] = field(default_factory=dict)

    def url(self, name: str) -> str:
        if name not in self.urls:
            self.urls[name] = self.stack.enter_context(deployed(name, self.environment))
        return self.urls[name]


@pytest.fixture(scope="module")
def functions(environment: dict[str, str]) -> Iterator[Deployed]:
    with sink() as (url, taken), ExitStack() as stack:
        yield Deployed({**environment, "K_SINK": url}, taken, stack)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_deployed_function_takes_its_events_and_refuses_what_is_none(
    name: str, functions: Deployed
) -> None:
    function = functions.url(name)
    idle = post(function, event("com.example.unrelated", None))
    assert (idle.status_code, idle.content) == (204, b"")
    refused = post(function, b'{"specversion": "1.0", "secret": "s3cr3t"}')
    assert refused.status_code == 422
    assert set(refused.json()) == {"error"}
    assert "s3cr3t" not in refused.text


@pytest.mark.parametrize("name", STAGES)
def test_each_stage_is_deployed_as_itself(name: str) -> None:
    """Its folder has its name, and its Service starts what lies there."""
    folder = ROOT / "functions" / name
    service = yaml.safe_load((folder / "service.yaml").read_text())
    (container,) = service["spec"]["template"]["spec"]["containers"]
    given = {one["name"]: one.get("value") for one in container["env"]}
    assert service["metadata"]["name"] == f"knoll-{name}"
    assert given["FUNCTION_SOURCE"] == f"functions/{name}/main.py"
    assert given["FUNCTION_TARGET"] == name.replace("-", "_")
    assert f'Function("{name}", ' in (folder / "main.py").read_text()


def test_the_notification_of_a_store_reaches_the_broker_as_an_event(functions: Deployed) -> None:
    function, before = functions.url("notifications"), len(functions.taken)
    answer = httpx.post(function, content=NOTIFICATION, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert [one["type"] for one in functions.taken[before:]] == ["com.amazonaws.s3.ObjectCreated:Put"]
    assert httpx.post(function, content=b"rubbish").status_code == 422


def test_a_notification_that_the_broker_did_not_take_is_asked_for_again(environment: dict[str, str]) -> None:
    with deployed("ingest", {**environment, "K_SINK": "http://127.0.0.1:9"}) as function:
        assert httpx.post(function, content=NOTIFICATION, timeout=60).status_code == 503


@pytest.mark.parametrize("name", ["ingest", "notifications"])
def test_it_agrees_to_be_sent_events_when_a_cloud_asks(name: str, functions: Deployed) -> None:
    """Event Grid sends nothing before this handshake, and nothing where it is not asked for."""
    function = functions.url(name)
    asked = httpx.options(
        function, headers={"WebHook-Request-Origin": "eventgrid.azure.net", "WebHook-Request-Rate": "120"}
    )
    assert asked.status_code == 200
    assert (asked.headers["webhook-allowed-origin"], asked.headers["webhook-allowed-rate"]) == (
        "eventgrid.azure.net",
        "*",
    )
    assert "webhook-allowed-origin" not in httpx.options(function).headers


def test_a_dead_letter_is_kept_whatever_it_is_and_asked_for_again_without_a_store(
    environment: dict[str, str], s3: Any
) -> None:
    """Be it large, or no event at all."""
    large = event("com.example.large", "x" * 2_000_000)
    store = S3Store(s3.endpoint, s3.access_key, s3.secret_key, "us-east-1")
    store.ensure_bucket("dead-letters-test")
    with deployed("dead-letters", {**environment, "KNOLL_MODEL_BUCKET": "dead-letters-test"}) as function:
        assert [post(function, body).status_code for body in (large, large, b"rubbish")] == [204, 204, 204]
    kept = read_dead_letters(Bucket(store, "s3://dead-letters-test"))
    assert [one.last.event.data if one.last.event else one.last.body for one in kept] == [
        large["data"],
        b"rubbish",
    ]
    with deployed("dead-letters", {**environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}) as function:
        assert post(function, event("com.example.unrelated", None)).status_code == 503


def test_a_function_without_its_store_says_later_and_not_never(environment: dict[str, str]) -> None:
    landed = event("dev.knoll.dataset.landed", {"runId": "digits-" + "0" * 20})
    with deployed("train", {**environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}) as function:
        assert post(function, landed).status_code == 503
