"""From an event to its Job: `dataset.landed` through knoll, the same broker with a Knative JobSink, and a
notification of a store.

No Job ever runs. Each asks for more processors than any node has, and is deleted when it has been seen.
"""

import json
import queue
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
from lightkube import Client, KubeConfig
from lightkube.resources.batch_v1 import Job
from place import Place, kubectl, until

from knoll.events import DATASET_LANDED, Event
from knoll.events.http import event_to_http
from knoll.ingest.opening import record_run
from knoll.kube.labels import JOB_LABEL
from knoll.kube.labels import KNATIVE_SERVICE_LABEL as _SERVICE
from knoll.models import API_VERSION, KIND
from knoll.names import run_id
from knoll.records.dataset import Dataset, DatasetObject, dataset_uri
from knoll.records.inbox import list_inbox, remove_entry
from knoll.records.outcome import Outcome, write_outcome
from knoll.records.run import Run

__all__ = ["Jobs", "asked", "declare", "declare_sink", "landed", "notified"]

_NEVER = {"cpu": "1000"}
_SINK_EVENT = "dev.knoll.bench.asked"
_NOW = "2026-01-01T00:00:00+00:00"
_PATH = ("knoll-notifications", "knoll-ingest", "knoll-train")  # of an event to its Job
_TAIL = ("-c", "user-container", "--prefix", "--tail", "40")


@dataclass(frozen=True)
class Seen:
    """A Job, and the time at which the watch showed it."""

    name: str
    at: float


class Jobs:
    """The Jobs of the namespace as a watch shows them."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._client = Client(KubeConfig.from_env(), namespace=place.namespace, trust_env=False)
        self._seen: queue.Queue[Seen] = queue.Queue()
        threading.Thread(target=self._watch, daemon=True).start()

    def time(self, post: Callable[[], httpx.Response], prefix: str) -> float:
        """Seconds from a request until a Job whose name has that prefix exists. Afterwards the Job is
        deleted.

        It does not wait for the answer: a broker may answer before its subscribers do, or after.
        """
        with ThreadPoolExecutor(1) as other:
            started = time.monotonic()
            answer = other.submit(post)
            seen = self._next(prefix, answer)
            answer.result().raise_for_status()
        self._end(seen.name)
        return seen.at - started

    def _watch(self) -> None:
        for change, job in self._client.watch(Job):
            if change == "ADDED" and job.metadata and job.metadata.name:
                self._seen.put(Seen(job.metadata.name, time.monotonic()))

    def _next(self, prefix: str, answer: Future[httpx.Response]) -> Seen:
        try:
            while not (seen := self._seen.get(timeout=120)).name.startswith(prefix):
                pass
        except queue.Empty:
            sys.exit(f"Error: no Job {prefix}... came of an event within 120 s\n{self._evidence(answer)}")
        return seen

    def _evidence(self, answer: Future[httpx.Response]) -> str:
        """What the request, the cluster and the functions say: all of it is removed with the namespace."""
        said = str(answer.exception() or answer.result()) if answer.done() else "none"
        known = [one["metadata"]["name"] for one in self._place.cluster.list("Job")]
        entries = [one.run for one in list_inbox(self._place.records())]
        logs = (
            kubectl("logs", "-n", self._place.namespace, "-l", f"{_SERVICE}={name}", *_TAIL) for name in _PATH
        )
        return "\n".join([f"answer: {said}", f"Jobs: {known}", f"open runs: {entries}", *logs])

    def _end(self, name: str) -> None:
        """End the run, if there is one, so that the next of its model need not wait. Delete the Job and wait
        until it is gone."""
        records = self._place.records()
        write_outcome(name, Outcome("failed", _NOW, reason="measured"), records)
        self._place.cluster.delete("Job", name)
        for entry in list_inbox(records, name):
            remove_entry(entry.info.uri, records)
        until(partial(_is_gone, name, self._place), 60, f"{name} is gone", 0.1)


def _is_gone(name: str, place: Place) -> bool:
    return name not in [
        one["metadata"]["name"] for one in place.cluster.list("Job")
    ] and not place.cluster.list("Pod", {JOB_LABEL: name})


def declare(name: str, place: Place) -> None:
    """A Model whose Jobs never run."""
    spec = {
        "family": "image-classifier",
        "dataset": {"uri": f"s3://{place.data}/{name}/"},
        "training": {"resources": _NEVER},
    }
    document = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}}
    place.apply(document | {"spec": spec | {"gate": {"metric": "accuracy", "atLeast": 0.5}}})


def declare_sink(name: str, image: str, place: Place) -> None:
    """A JobSink behind a Trigger on the broker of the installation."""
    kind = {"apiVersion": "sinks.knative.dev/v1alpha1", "kind": "JobSink"}
    place.apply({**kind, "metadata": {"name": name}, "spec": {"job": {"spec": _never(image)}}})
    subscriber: Mapping[str, Any] = {"ref": {**kind, "name": name}}
    spec: Mapping[str, Any] = {
        "broker": "default",
        "filter": {"attributes": {"type": _SINK_EVENT}},
        "subscriber": subscriber,
    }
    place.apply(
        {"apiVersion": "eventing.knative.dev/v1", "kind": "Trigger", "metadata": {"name": name}, "spec": spec}
    )
    place.wait_ready("jobsink", name)
    place.wait_ready("trigger", name)


def landed(name: str, place: Place) -> Callable[[], httpx.Response]:
    """Make a new state of the Model's data and open its run. Returns a function that posts its event."""
    prefix = f"s3://{place.data}/{name}/"
    place.store.put(f"{prefix}data", uuid.uuid4().bytes)
    (found,) = [one for one in place.store.list(prefix) if one.uri == f"{prefix}data"]
    dataset = Dataset(name, prefix, (DatasetObject(found.uri, found.etag, found.size),))
    uri = dataset_uri(place.root, name, dataset.digest)
    run = Run(
        run_id(name, dataset.digest, "bench"),
        name,
        "image-classifier",
        dataset.digest,
        uri,
        {},
        _NOW,
        _NEVER,
        data_at=_NOW,
    )
    record_run(run, dataset, place.records())
    return _event(
        DATASET_LANDED, {"model": name, "runId": run.id, "dataset": uri, "objects": 1, "bytes": 1}, place
    )


def asked(place: Place) -> Callable[[], httpx.Response]:
    """A function that posts an event for the JobSink."""
    return _event(_SINK_EVENT, {}, place)


def notified(name: str, place: Place) -> Callable[[], httpx.Response]:
    """Write new data with its marker. Returns a function that posts the notification of the store, as
    versitygw writes it."""
    place.store.put(f"s3://{place.data}/{name}/data", uuid.uuid4().bytes)
    etag = place.store.put(f"s3://{place.data}/{name}/_SUCCESS", b"")
    marker = {"key": f"{name}/_SUCCESS", "size": 0, "eTag": f'"{etag}"', "versionId": "", "sequencer": "1"}
    record: dict[str, Any] = {
        "eventVersion": "2.2",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": "2026-01-01T00:00:00Z",
    }
    record |= {
        "eventName": "s3:ObjectCreated:Put",
        "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": place.data}, "object": marker},
    }
    content = json.dumps({"Records": [record]})
    return lambda: place.notifications.post("", content=content, headers={"content-type": "application/json"})


def _event(kind: str, data: Mapping[str, Any], place: Place) -> Callable[[], httpx.Response]:
    headers, body = event_to_http(
        Event(uuid.uuid4().hex, "/knoll/bench", kind, "2026-01-01T00:00:00Z", data=dict(data))
    )
    return lambda: place.broker.post("", content=body, headers=headers)


def _never(image: str) -> Mapping[str, Any]:
    container = {
        "name": "job",
        "image": image,
        "resources": {"requests": _NEVER, "limits": _NEVER},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    return {
        "template": {
            "spec": {"restartPolicy": "Never", "securityContext": security, "containers": [container]}
        }
    }
