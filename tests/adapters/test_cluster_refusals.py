"""What the API server's refusals mean: bodies as Kubernetes 1.35, KServe 0.19 and Knative 1.21 have sent
them."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from knoll.adapters.cluster_kubernetes import KubernetesCluster
from knoll.errors import ClusterUnavailable, Forbidden, KnollError, Rejected

HERE = Path(__file__).parent
JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "digits-1f0c"},
    "spec": {"template": {"spec": {}}},
}


@contextmanager
def answering(body: bytes, code: int) -> Iterator[str]:
    """URL of a server that gives this answer to whatever is posted."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(code)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def refused(tmp_path: Path) -> Callable[[str], KnollError]:
    """A function that creates a Job where the recorded Status of that name is the answer; the error that
    comes of it."""

    def create(name: str) -> KnollError:
        body = (HERE / "statuses" / f"{name}.json").read_bytes()
        with answering(body, json.loads(body)["code"]) as url:
            config = {
                "clusters": [{"name": "one", "cluster": {"server": url}}],
                "users": [{"name": "one", "user": {"token": "any"}}],
                "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
            }
            (tmp_path / "config").write_text(
                yaml.safe_dump({"apiVersion": "v1", "kind": "Config", "current-context": "one"} | config)
            )
            with pytest.raises(KnollError) as error:
                KubernetesCluster("default", kubeconfig=str(tmp_path / "config")).create(JOB)
        return error.value

    return create


@pytest.mark.parametrize("name", ["policy", "quota", "webhook-400", "webhook-403"])
def test_what_somebody_has_forbidden_may_be_allowed_later(
    refused: Callable[[str], KnollError], name: str
) -> None:
    """A policy's no comes with 422, a webhook's with whatever it chooses: none of them says that the document
    is wrong for ever."""
    error = refused(name)
    assert type(error) is Forbidden
    assert json.loads((HERE / "statuses" / f"{name}.json").read_text())["message"] in str(error)
    assert error.fix


def test_what_no_api_server_can_take_is_rejected(refused: Callable[[str], KnollError]) -> None:
    """Also when the value that is wrong, which anybody may have written, reads like a webhook's no."""
    assert type(refused("invalid")) is Rejected
    assert type(refused("invalid-quoting")) is Rejected


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("clusters: [", "the kubeconfig is not YAML"),
        ("just text", "the kubeconfig lacks its clusters, contexts or users"),
        ("{clusters: [], contexts: []}", "the kubeconfig chooses no context; name one with --context"),
        ("{clusters: [], contexts: [], current-context: it}", "the kubeconfig has no such context"),
        (None, "there is no file .*/config"),
    ],
)
def test_why_nothing_says_where_the_cluster_is_is_told_in_our_words(
    tmp_path: Path, body: str | None, told: str
) -> None:
    path = tmp_path / "config"
    if body is not None:
        path.write_text(body)
    with pytest.raises(ClusterUnavailable, match=f"nothing says where the cluster is: {told}"):
        KubernetesCluster(kubeconfig=str(path)).list("Model")
