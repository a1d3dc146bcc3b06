"""One Job for each landed dataset on a real API server: many deliveries at once, a full quota, refusals, and
data that changes faster than it is trained.

No Job here ever runs. Each asks for more processors than any node has, or for a service account that does not
exist.
"""

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import boto3
import pytest
import yaml
from botocore.client import Config
from lightkube import Client, KubeConfig
from lightkube.resources.batch_v1 import Job

from knoll.adapters.cluster_kubernetes import KubernetesCluster
from knoll.adapters.memory.events import MemoryEvents
from knoll.errors import Conflict, Unavailable
from knoll.events import Event
from knoll.ingest import handler as ingest
from knoll.kube.jobs import is_live
from knoll.ports import Document, Platform
from knoll.records.dead_letter import dead_letters_uri
from knoll.records.inbox import inbox
from knoll.records.outcome import Outcome, outcome_uri
from knoll.records.progress import find_progress
from knoll.settings import Settings
from knoll.train import handler as train
from knoll.wiring.platform import build_platform, object_store
from support.models import model_document

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

DATASETS = 20
DELIVERIES = 64
PROCESSES = 8  # threads of one take turns
NEVER = {"resources": {"cpu": "1000", "memory": "1Gi"}}
NOW = "2026-01-01T00:00:00+00:00"
TICK = Event("tick", "/test", "dev.knoll.tick", NOW)
LAST = "the-last-of-all"
Until = Callable[..., None]
World = Callable[[int], Platform]


@pytest.fixture
def world(namespace: str) -> Iterator[World]:
    """A function that gives a platform with that quota. API server and store are real; nothing of knoll is
    deployed in the namespace. There are twenty Models, and the data of each has landed."""
    if not os.environ.get("AWS_ACCESS_KEY_ID"):
        pytest.skip("no surroundings: AWS_ACCESS_KEY_ID not set; docs/cluster.md says what it means")
    data, models = f"{namespace}-data", f"{namespace}-models"
    settings = Settings(cluster="kubernetes", namespace=namespace, model_bucket=models)
    store = object_store(settings)
    for bucket in (data, models):
        store.ensure_bucket(bucket)

    def build(quota: int) -> Platform:
        platform = build_platform(settings.model_copy(update={"quota": quota}), MemoryEvents())
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: declare(f"m{number:02}", data, platform), range(DATASETS)))
        return platform

    yield build
    for bucket in (data, models):
        for one in list(store.list(f"s3://{bucket}/")):
            store.delete(one.uri)
        boto3.client(
            "s3", endpoint_url=os.environ.get("AWS_ENDPOINT_URL") or None, config=Config(proxies={})
        ).delete_bucket(Bucket=bucket)


def declare(name: str, bucket: str, platform: Platform) -> None:
    """Make a Model, and its data."""
    platform.cluster.create(model_document(name, data=f"s3://{bucket}", training=NEVER))
    platform.store.put(f"s3://{bucket}/{name}/data", name.encode())
    platform.store.put(f"s3://{bucket}/{name}/_SUCCESS", b"")


def opened(platform: Platform) -> Sequence[Event]:
    """Open a run for each dataset. Returns their events."""
    ingest.sweep(TICK, platform)
    taken: Sequence[Event] = platform.events.taken  # type: ignore[attr-defined]
    events = [event for event in taken if event.type == "dev.knoll.dataset.landed"]
    assert len(events) == DATASETS
    return events


def deliver(events: Sequence[Event], platform: Platform) -> None:
    """Give each event to one of the processes of the train function, 64 at a time. If the answer is 503, give
    it again, as a broker does."""
    processes = [
        replace(platform, cluster=KubernetesCluster(platform.settings.namespace)) for _ in range(PROCESSES)
    ]

    def give(number: int, event: Event) -> None:
        for _ in range(5):
            with suppress(Unavailable):
                train.handle(event, processes[number % PROCESSES])
                return
        train.handle(event, processes[number % PROCESSES])

    with ThreadPoolExecutor(DELIVERIES) as pool:
        list(pool.map(give, count(), events))


@dataclass
class Seen:
    """What a watch has shown of a namespace's Jobs, in the order of the API server: how often each was
    created, and how many were live at once."""

    created: Counter[str] = field(default_factory=Counter)
    live: set[str] = field(default_factory=set)
    most: int = 0

    def note(self, change: str, job: Document) -> None:
        name = job["metadata"]["name"]
        self.created[name] += change == "ADDED"
        (self.live.add if change != "DELETED" and is_live(job) else self.live.discard)(name)
        self.most = max(self.most, len(self.live))


@contextmanager
def watching(platform: Platform) -> Iterator[Seen]:
    """Watch the Jobs. It has seen all when the block ends, because a Job without a Model is created last."""
    seen = Seen()
    client = Client(KubeConfig.from_env(), namespace=platform.settings.namespace, trust_env=False)

    def watch() -> None:
        for change, job in client.watch(Job):
            if job.metadata and job.metadata.name == LAST:
                return
            seen.note(change, job.to_dict())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        pod = {"restartPolicy": "Never", "containers": [{"name": "none", "image": "none"}]}
        last = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": LAST},
            "spec": {"suspend": True, "template": {"spec": pod}},
        }
        platform.cluster.create(last)
        watcher.join(30)
    assert not watcher.is_alive()


def test_of_64_deliveries_of_each_of_20_datasets_come_20_jobs(world: World) -> None:
    """All Jobs may be live. Each Job that ever existed counts, also one that was deleted at once."""
    platform = world(2 * DATASETS)
    events = opened(platform)
    deliveries = list(events) * DELIVERIES
    Random(5).shuffle(deliveries)
    with watching(platform) as seen:
        deliver(deliveries, platform)
    assert seen.created == Counter(event.data["runId"] for event in events)


def test_no_more_jobs_than_the_quota_are_live_and_every_run_has_its_turn(world: World, until: Until) -> None:
    """This holds if all runs are open when the deciders meet: each takes the oldest runs, so a late one
    creates nothing more."""
    platform = world(4)
    events = opened(platform)
    runs = [event.data["runId"] for event in events]
    with watching(platform) as seen:
        deliver([events[number % DATASETS] for number in range(DELIVERIES)], platform)
        assert len(live(platform)) == 4
        assert sum(is_blocked(run, platform) for run in runs) == DATASETS - 4
        until(lambda: have_ended(platform), 150)
    assert seen.created == Counter(runs)
    assert seen.most == 4


def live(platform: Platform) -> Sequence[Document]:
    """The names of the live Jobs."""
    return [job for job in platform.cluster.list("Job") if is_live(job)]


def is_blocked(run: str, platform: Platform) -> bool:
    """Whether the CLI says that the run waits for the quota."""
    progress = find_progress(run, platform.bucket)
    told = (progress.state, progress.reason) if progress else None
    return told == ("blocked", "all 4 Jobs of the quota are live")


def have_ended(platform: Platform) -> bool:
    """End the live Jobs as a trainer would, with an outcome first. Then send the events of all ended Jobs,
    each several times at once. Returns whether no run waits any longer."""
    for job in live(platform):
        uri = outcome_uri(platform.settings.model_root, job["metadata"]["name"])
        platform.store.put(uri, Outcome("succeeded", NOW).encode(), content_type="application/json")
        with suppress(Conflict):
            platform.cluster.update({**job, "spec": {**job["spec"], "activeDeadlineSeconds": 1}})
    waiting = {
        one.uri.rpartition("/")[2].partition(".")[0]
        for one in platform.store.list(inbox(platform.settings.model_root))
    }
    ended = [
        job for job in platform.cluster.list("Job") if not is_live(job) and job["metadata"]["name"] in waiting
    ]
    deliver([changed(job) for job in ended] * 4, platform)
    return not waiting


def changed(job: Document) -> Event:
    """The event that an ApiServerSource sends for a Job."""
    extensions = {"kind": "Job", "apiversion": "batch/v1", "name": job["metadata"]["name"]}
    return Event(
        job["metadata"]["uid"],
        "/test",
        "dev.knative.apiserver.resource.update",
        NOW,
        data=job,
        extensions=extensions,
    )


@contextmanager
def quota_of_none(installation: Any) -> Iterator[None]:
    """The namespace may have no Jobs."""
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "none"},
        "spec": {"hard": {"count/jobs.batch": "0"}},
    }
    installation.apply(quota)
    path = "jsonpath={.status.hard.count/jobs\\.batch}=0"
    try:
        installation.kubectl(
            "wait", f"--for={path}", "resourcequota/none", "-n", installation.namespace, "--timeout=30s"
        )
        yield
    finally:
        installation.kubectl("delete", "resourcequota", "none", "-n", installation.namespace)


@contextmanager
def policy_against_all(installation: Any) -> Iterator[None]:
    """A policy of the cluster denies Jobs in this namespace only."""
    name, kind = f"{installation.namespace}-fridays", "ValidatingAdmissionPolicy"
    rules = [{"apiGroups": ["batch"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["jobs"]}]
    denial = {"expression": "false", "message": "no training on Fridays"}
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": installation.namespace}}}
    policy = document(
        kind,
        name,
        {"failurePolicy": "Fail", "matchConstraints": {"resourceRules": rules}, "validations": [denial]},
    )
    binding = document(
        f"{kind}Binding", name, {"policyName": name, "validationActions": ["Deny"], "matchResources": here}
    )
    probe = ("create", "job", "probe", "--image=none", "--dry-run=server", "-n", installation.namespace)
    try:
        for one in (policy, binding):
            installation.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(one))
        installation.until(lambda: "no training on Fridays" in installation.kubectl(*probe, check=False), 60)
        yield
    finally:
        installation.kubectl("delete", f"{kind}Binding,{kind}", name, "--ignore-not-found")
        installation.until(
            lambda: "no training on Fridays" not in installation.kubectl(*probe, check=False), 60
        )


def document(kind: str, name: str, spec: Mapping[str, Any]) -> Document:
    """An object of admission control."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": dict(spec),
    }


@pytest.mark.parametrize(
    ("name", "refusing", "reason"),
    [("crowded", quota_of_none, "exceeded quota"), ("denied", policy_against_all, "no training on Fridays")],
)
def test_a_run_whose_job_is_not_admitted_is_blocked_and_starts_when_it_is(
    installation: Any, name: str, refusing: Callable[[Any], AbstractContextManager[None]], reason: str
) -> None:
    """The CLI shows the reason. Nothing is lost or is a dead letter, and the next tick starts the Job."""
    installation.declare(name, training=NEVER)
    letters = list(installation.store.list(dead_letters_uri(installation.root)))
    with refusing(installation):
        run = installation.land(name, b"one")
        installation.until(lambda: shown(installation, name)["state"] == "Blocked", 60)
        assert reason in shown(installation, name)["reason"]
        assert installation.jobs(name) == []
    installation.tick()
    installation.until(lambda: installation.jobs(name) == [run], 20)
    assert installation.record(outcome_uri(installation.root, run)) == {}
    assert shown(installation, name)["state"] in ("Running", "Pending")
    assert list(installation.store.list(dead_letters_uri(installation.root))) == letters
    installation.forget(name)


def shown(installation: Any, name: str) -> Mapping[str, str]:
    """The model's newest run, as `kn model runs` shows it."""
    command = [
        str(Path(sys.executable).with_name("kn-model")),
        "runs",
        name,
        "-n",
        installation.namespace,
        "-o",
        "json",
    ]
    ended = subprocess.run(
        command, env=dict(installation.environment), capture_output=True, text=True, timeout=60, check=True
    )
    run: Mapping[str, str] = json.loads(ended.stdout)["runs"][0]
    return run


def test_newer_data_replaces_the_job_of_older_data_where_the_model_says_so(installation: Any) -> None:
    installation.declare("replaced", training={**NEVER, "concurrency": "Replace"})
    older = installation.land("replaced", b"one")
    installation.until(lambda: installation.jobs("replaced") == [older], 60)
    let_a_second_pass(installation)
    newer = installation.land("replaced", b"two")
    installation.until(lambda: installation.jobs("replaced") == [newer], 60)
    ended = installation.record(outcome_uri(installation.root, older))
    assert (ended["state"], newer in ended["reason"]) == ("skipped", True)
    assert installation.record(outcome_uri(installation.root, newer)) == {}
    installation.forget("replaced")


def let_a_second_pass(installation: Any) -> None:
    """Only the store's clock says which of two states is newer, in whole seconds."""

    def now() -> Any:
        installation.store.put(installation.data("clock", "now"), b"")
        [one] = installation.store.list(installation.data("clock", "now"))
        return one.modified

    before = now()
    installation.until(lambda: now() > before)


def test_newer_data_is_not_trained_beside_older_data_where_the_model_forbids_it(installation: Any) -> None:
    installation.declare("forbidden", training={**NEVER, "concurrency": "Forbid"})
    older = installation.land("forbidden", b"one")
    installation.until(lambda: installation.jobs("forbidden") == [older], 60)
    newer = installation.land("forbidden", b"two")
    installation.until(lambda: installation.record(outcome_uri(installation.root, newer)), 60)
    ended = installation.record(outcome_uri(installation.root, newer))
    assert (ended["state"], older in ended["reason"]) == ("skipped", True)
    assert installation.jobs("forbidden") == [older]
    assert installation.record(outcome_uri(installation.root, older)) == {}
    installation.forget("forbidden")
