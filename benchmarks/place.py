"""The place of the measurements: an installation of knoll in a namespace of its own, and ways to reach it."""

import json
import re
import subprocess
import sys
import time
import uuid
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import httpx
from botocore.client import Config

from knoll.adapters.cluster_kubernetes import KubernetesCluster
from knoll.adapters.predictors_http import HttpPredictors
from knoll.adapters.store_s3 import S3Store
from knoll.installation import SIGN_FILE, STAMPING_SECRET, STORE_VARIABLES, VERIFY_FILE
from knoll.kube.labels import KNATIVE_SERVICE_LABEL as _SERVICE
from knoll.ports import Bucket

__all__ = ["Place", "installation", "kubectl", "say", "until"]

_DEPLOY = Path(__file__).parents[1] / "deploy" / "deploy.py"
_STORE = tuple(STORE_VARIABLES)
_PATIENCE = 120.0  # seconds for one request, a cold start on a busy machine included


@dataclass(frozen=True)
class Place:
    """knoll in one namespace, with its store, its broker, and the receiver of its store's notifications."""

    namespace: str
    cluster: KubernetesCluster
    store: S3Store
    bucket: str
    data: str
    predictors: HttpPredictors
    broker: httpx.Client
    notifications: httpx.Client

    @property
    def root(self) -> str:
        """URI of the model bucket."""
        return f"s3://{self.bucket}"

    def records(self) -> Bucket:
        """The model bucket for one who writes records as functions do, with their key."""
        data = self.cluster.get("Secret", STAMPING_SECRET)["data"]
        private, public = (b64decode(data[name]).decode() for name in (SIGN_FILE, VERIFY_FILE))
        return Bucket(self.store, self.root, private, public)

    def apply(self, document: Mapping[str, Any]) -> None:
        """kubectl apply in the namespace."""
        kubectl("apply", "-n", self.namespace, "-f", "-", stdin=json.dumps(document))

    def wait_ready(self, kind: str, *names: str) -> None:
        """Wait until these objects are ready."""
        kubectl("wait", "-n", self.namespace, "--for=condition=Ready", kind, *names, "--timeout=300s")

    def url(self, service: str) -> str:
        """Address of a Knative Service."""
        return kubectl("get", "ksvc", service, "-n", self.namespace, "-o", "jsonpath={.status.url}")

    def tick(self, schedule: str) -> None:
        """Set how often sweep is woken."""
        patch = json.dumps({"spec": {"schedule": schedule}})
        kubectl("patch", "pingsource", "knoll-tick", "-n", self.namespace, "--type=merge", "-p", patch)

    def serving(self) -> list[dict[str, Any]]:
        """The Pods of Knative Services, also those that are ending."""
        return [one for one in self.cluster.list("Pod") if _SERVICE in (one["metadata"].get("labels") or {})]

    def is_asleep(self) -> bool:
        """Whether everything is at zero."""
        return not self.serving()

    def is_awake(self, service: str) -> bool:
        """Whether a Service has a Pod that is ready and will stay."""
        return any(_is_ready(one) for one in self.serving() if one["metadata"]["labels"][_SERVICE] == service)

    def is_settled(self) -> bool:
        """Whether no Pod is about to start. A start takes a whole processor."""
        return all(_is_ready(one) or "deletionTimestamp" in one["metadata"] for one in self.serving())


@contextmanager
def installation(environment: Mapping[str, str]) -> Iterator[Place]:
    """Install knoll as `make deploy` does. Afterwards it is removed with its buckets.

    The store keeps its old target for notifications. The benchmark sends the events itself, so that it knows
    when they were sent.
    """
    name = f"knoll-bench-{uuid.uuid4().hex[:6]}"
    own = {
        **environment,
        "KNOLL_NAMESPACE": name,
        "KNOLL_MODEL_BUCKET": f"{name}-models",
        "NOTIFY_COMMAND": "",
    }
    store = S3Store(*(environment.get(key, "") for key in _STORE))
    store.ensure_bucket(f"{name}-data")
    try:
        subprocess.run([sys.executable, str(_DEPLOY)], env=own, stdout=sys.stderr, check=True)
        cluster = KubernetesCluster(name)
        broker = cluster.get("Broker", "default")["status"]["address"]["url"]
        with ExitStack() as ways:
            yield Place(
                namespace=name,
                cluster=cluster,
                store=store,
                bucket=f"{name}-models",
                data=f"{name}-data",
                predictors=HttpPredictors(environment.get("GATEWAY_URL", "")),
                broker=ways.enter_context(_way(broker)),
                notifications=ways.enter_context(
                    _way(f"http://knoll-notifications.{name}.svc.cluster.local/")
                ),
            )
    finally:
        kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")
        for bucket in (f"{name}-data", f"{name}-models"):
            _remove(store, bucket, environment)


@contextmanager
def _way(url: str) -> Iterator[httpx.Client]:
    """A client for the URL of a Service inside the cluster. Post to "" there."""
    inside = urlsplit(url)
    name, namespace = _behind(*str(inside.hostname).split(".")[:2])
    command = ["kubectl", "port-forward", "-n", namespace, f"svc/{name}", f":{inside.port or 80}"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        said = child.stdout.readline() if child.stdout else ""
        port = re.search(r"127\.0\.0\.1:(\d+)", said)
        if port is None:
            sys.exit(f"Error: no way to {url}: {said}\nFix: kubectl get svc {name} -n {namespace}")
        base = f"http://127.0.0.1:{port[1]}{inside.path}"
        with httpx.Client(
            base_url=base, headers={"host": inside.netloc}, timeout=_PATIENCE, trust_env=False
        ) as client:
            yield client
    finally:
        child.terminate()
        child.wait()


def _behind(name: str, namespace: str) -> tuple[str, str]:
    """The Service with Pods behind a Knative Service: the gateway of the cluster."""
    outside = kubectl("get", "svc", name, "-n", namespace, "-o", "jsonpath={.spec.externalName}")
    return _behind(*outside.split(".")[:2]) if outside else (name, namespace)


def _remove(store: S3Store, bucket: str, environment: Mapping[str, str]) -> None:
    for one in list(store.list(f"s3://{bucket}/")):
        store.delete(one.uri)
    client = boto3.client(
        "s3", endpoint_url=environment.get("AWS_ENDPOINT_URL") or None, config=Config(proxies={})
    )
    client.delete_bucket(Bucket=bucket)


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    is_ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return is_ready and "deletionTimestamp" not in pod["metadata"]


def kubectl(*arguments: str, stdin: str = "") -> str:
    """Run kubectl. Returns what it prints; if it fails, the benchmark ends with its error."""
    ended = subprocess.run(["kubectl", *arguments], input=stdin, capture_output=True, text=True)
    if ended.returncode:
        sys.exit(f"Error: kubectl {' '.join(arguments)}: {ended.stderr.strip()}")
    return ended.stdout


def until(condition: Callable[[], object], seconds: float, what: str, every: float = 0.5) -> None:
    """Wait until the condition is true. If it does not become true, the benchmark ends with its name."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"Error: waited {seconds:.0f} s in vain until {what}")
        time.sleep(every)


def say(text: str) -> None:
    """Tell the user on stderr what is going on. stdout has only the results."""
    print(text, file=sys.stderr, flush=True)
