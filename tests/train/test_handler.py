"""Exactly one Job for each dataset and config, whatever is delivered."""

import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from knoll.adapters.cluster_local import LocalCluster
from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.events import MemoryEvents
from knoll.adapters.memory.store import MemoryStore
from knoll.adapters.predictors_http import HttpPredictors
from knoll.errors import Rejected, StoreUnavailable
from knoll.events import (
    DATASET_LANDED,
    OBJECT_CREATED,
    TICK,
    TRAINING_PROGRESSED,
    Event,
    new_event,
    object_changed,
)
from knoll.ingest import handler as ingest
from knoll.ports import Caches, Document, ObjectInfo, Platform
from knoll.records.inbox import inbox_uri
from knoll.records.outcome import Outcome, outcome_uri, write_outcome
from knoll.records.progress import Progress, load_progress, progress_uri
from knoll.records.run import Run, run_uri
from knoll.settings import Settings
from knoll.train import handler as train
from support.documented import undocumented

NOW = datetime(2026, 1, 1, tzinfo=UTC)


RUN = Run(
    f"almonds-{'0' * 20}",
    "almonds",
    "image-classifier",
    "0",
    "s3://knoll-models/datasets/almonds/0.json",
    {"epochs": 8},
    NOW.isoformat(),
    data_at=NOW.isoformat(),
)


def spoilt(**fields: object) -> bytes:
    """The record of RUN with fields of other types."""
    return json.dumps({**RUN.fields(), **fields}).encode()


def model(name: str = "digits", epochs: int = 8) -> Document:
    return {
        "apiVersion": "knoll.dev/v1alpha1",
        "kind": "Model",
        "metadata": {"name": name},
        "spec": {
            "family": "image-classifier",
            "dataset": {"uri": f"s3://data/{name}/"},
            "training": {"config": {"epochs": epochs}, "resources": {"cpu": 1, "nvidia.com/gpu": 1}},
        },
    }


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    clock = MemoryClock()
    cluster = LocalCluster(tmp_path / "knoll.db", "default", clock)
    cluster.create(model())
    return Platform(
        MemoryStore(clock.now), cluster, MemoryEvents(), HttpPredictors(), clock, Settings(home=tmp_path)
    )


def upload(platform: Platform, *contents: bytes) -> Event:
    """The event of the marker of an upload."""
    for number, content in enumerate(contents):
        platform.store.put(f"s3://data/digits/{number}.png", content)
    platform.store.put("s3://data/digits/_SUCCESS", b"")
    data = {"s3": {"bucket": {"name": "data"}, "object": {"key": "digits/_SUCCESS"}}}
    return new_event(OBJECT_CREATED + "Put", source="aws:s3", time=NOW, subject="digits/_SUCCESS", data=data)


def land(platform: Platform, *contents: bytes) -> Event | None:
    return ingest.handle(upload(platform, *contents), platform)


def landed_of(platform: Platform, *contents: bytes) -> Event:
    """The event of the run that ingest opens for this upload."""
    landed = land(platform, *contents)
    assert landed is not None
    return landed


def jobs(platform: Platform) -> list[str]:
    return [job["metadata"]["name"] for job in platform.cluster.list("Job")]


def taken(platform: Platform) -> list[Event]:
    """The events that were published."""
    assert isinstance(platform.events, MemoryEvents)
    return platform.events.taken


def pod(run: str, name: str = "pod") -> Document:
    labels = {
        "app.kubernetes.io/managed-by": "knoll",
        "knoll.dev/model": "digits",
        "batch.kubernetes.io/job-name": run,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": {}}


class Counting:
    """Passes every call on, and notes it."""

    def __init__(self, name: str, real: Any, calls: list[str]) -> None:
        self._name, self._real, self._calls = name, real, calls

    def __getattr__(self, method: str) -> Any:
        self._calls.append(f"{self._name}.{method}")
        return getattr(self._real, method)


def counting(platform: Platform) -> tuple[Platform, list[str]]:
    """The platform as a process that has just started sees it, and the calls of its cluster and store."""
    calls: list[str] = []
    cluster, store = (Counting(name, getattr(platform, name), calls) for name in ("cluster", "store"))
    return replace(platform, cluster=cluster, store=store, caches=Caches()), calls


def finish(platform: Platform, run: str, *, condition: str, **about: Any) -> None:
    job = platform.cluster.get("Job", run)
    platform.cluster.update(
        {**job, "status": {"conditions": [{"type": condition, "status": "True", **about}]}}, status=True
    )


def fail_pod(platform: Platform, run: str, name: str, code: int, time: str = "2026-01-01T00:01:00Z") -> None:
    platform.cluster.create(pod(run, name))
    end = {"exitCode": code, "finishedAt": time, "reason": "OOMKilled" if code == 137 else "Error"}
    status = {"phase": "Failed", "containerStatuses": [{"name": "trainer", "state": {"terminated": end}}]}
    platform.cluster.update({**platform.cluster.get("Pod", name), "status": status}, status=True)


def test_a_landed_dataset_becomes_one_job_that_carries_only_the_run_id(platform: Platform) -> None:
    landed = landed_of(platform, b"one", b"two")
    assert landed.data["objects"] == 2
    train.handle(landed, platform)
    (job,) = platform.cluster.list("Job")
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert container["args"] == [job["metadata"]["name"]]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert "s3://" not in json.dumps(job)


def test_the_same_data_again_has_no_second_run(platform: Platform) -> None:
    first = landed_of(platform, b"one")
    train.handle(first, platform)
    assert land(platform, b"one") is None
    train.handle(first, platform)
    assert len(jobs(platform)) == 1


def test_the_same_event_delivered_fifty_times_at_once_makes_one_job(platform: Platform) -> None:
    landed = landed_of(platform, b"one")
    with ThreadPoolExecutor(16) as pool:
        for future in [pool.submit(train.handle, landed, platform) for _ in range(50)]:
            future.result()
    assert len(jobs(platform)) == 1


def test_other_data_is_another_run_that_waits_for_the_first(platform: Platform) -> None:
    for contents in ((b"one",), (b"one", b"two"), (b"one", b"two", b"three")):
        landed = landed_of(platform, *contents)
        train.handle(landed, platform)
    seen: list[str] = []
    while len(seen) < 3:
        (live,) = [name for name in jobs(platform) if name not in seen]
        seen.append(live)
        finish(platform, live, condition="Complete")
        platform.store.put(outcome_uri("s3://knoll-models", live), b"{}", if_absent=True)
        train.sweep(landed, platform)
    assert len(set(jobs(platform))) == 3


def test_data_that_is_being_deleted_is_not_trained_before_the_next_marker(
    platform: Platform,
) -> None:
    first = landed_of(platform, b"one", b"two", b"three")
    train.handle(first, platform)
    platform.store.delete("s3://data/digits/2.png")
    ingest.sweep(first, platform)
    assert "objects were deleted" in platform.cluster.get("Model", "digits")["status"]["dataset"]["reason"]
    assert taken(platform) == []
    platform.store.put("s3://data/digits/1.png", b"other")
    assert land(platform) is not None


def test_sweep_starts_runs_whose_events_were_lost(platform: Platform) -> None:
    upload(platform, b"one")
    tick = new_event(TICK, source="/test", time=NOW)
    ingest.sweep(tick, platform)
    (landed,) = taken(platform)
    train.handle(landed, platform)
    platform.cluster.delete("Job", jobs(platform)[0])
    train.sweep(tick, platform)
    assert len(jobs(platform)) == 1


def test_a_failed_job_gets_an_outcome_once_and_frees_the_queue(platform: Platform) -> None:
    landed = landed_of(platform, b"one")
    train.handle(landed, platform)
    (run,) = jobs(platform)
    finish(platform, run, condition="Failed", reason="BackoffLimitExceeded", message="tried 3 times")
    for _ in range(3):
        train.sweep(landed, platform)
    outcome = json.loads(platform.store.get(outcome_uri("s3://knoll-models", run)))
    assert outcome["state"] == "failed"
    assert "BackoffLimitExceeded: tried 3 times" in outcome["reason"]
    assert len(taken(platform)) == 1


@pytest.mark.parametrize("is_laptop", [True, False])
@pytest.mark.parametrize("code", [75, 1])
def test_a_failure_for_want_of_an_answer_says_where_it_is_named_and_what_to_do(
    platform: Platform, code: int, is_laptop: bool
) -> None:
    """The exit code decides: a laptop's Job has it, or else the Pod."""
    landed = landed_of(platform, b"one")
    train.handle(landed, platform)
    (run,) = jobs(platform)
    where = {"exitCode": code} if is_laptop else {}
    if not is_laptop:
        fail_pod(platform, run, "last", code)
    finish(platform, run, condition="Failed", reason="BackoffLimitExceeded", message="tried 3 times", **where)
    train.sweep(landed, platform)
    reason = json.loads(platform.store.get(outcome_uri("s3://knoll-models", run)))["reason"]
    told = f"did not answer, or only a newer knoll reads a record: knoll runs logs {run} names it"
    assert (told in reason) is (code == 75)


def test_an_event_that_names_a_run_without_a_record_is_rejected(platform: Platform) -> None:
    landed = landed_of(platform, b"one")
    for data in (
        {**landed.data, "runId": "digits-" + "0" * 20},
        {"model": "digits"},
        ["digits"],
        {"runId": "../outcomes/x"},
    ):
        with pytest.raises(Rejected):
            train.handle(new_event(DATASET_LANDED, source="/forged", time=NOW, data=data), platform)
    assert jobs(platform) == []


def test_a_model_or_record_that_is_ill_does_not_stop_the_others(platform: Platform) -> None:
    """Sweep continues after a faulty Model, a broken record and a bucket that does not answer."""

    class Picky(MemoryStore):
        def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
            if prefix.startswith("s3://elsewhere/"):
                raise StoreUnavailable("no access")
            return super().list(prefix, after=after)

    picky = replace(platform, store=Picky(lambda: NOW))
    ill = model("almonds")
    ill["spec"]["dataset"]["uri"] = "s3://elsewhere/almonds/"
    platform.cluster.create(ill)
    platform.cluster.create({**model("beans"), "spec": {"family": 3}})
    picky.store.put("s3://knoll-models/runs/digits-0.json", b"rubbish")
    tick = upload(picky, b"one")
    with pytest.raises(StoreUnavailable):
        ingest.sweep(tick, picky)
    (landed,) = taken(platform)
    train.handle(landed, picky)
    assert len(jobs(platform)) == 1


@pytest.mark.parametrize("seed", range(5))
def test_any_order_of_duplicated_and_lost_events_ends_with_one_job_at_a_time_and_one_run_each(
    platform: Platform, seed: int
) -> None:
    """Random schedules; the seed is the test's parameter."""
    chance = random.Random(seed)
    pending: list[Event] = []
    runs = set()
    for round_ in range(12):
        event = upload(platform, str(chance.randrange(3)).encode())
        pending += [event] * chance.randrange(3)
        chance.shuffle(pending)
        for delivered in pending[: chance.randrange(4)]:
            landed = ingest.handle(delivered, platform)
            if landed is not None and chance.random() < 0.8:
                train.handle(landed, platform)
        ingest.sweep(event, platform)
        for landed in taken(platform):
            train.handle(landed, platform)
        live = [
            job for job in platform.cluster.list("Job") if not (job.get("status") or {}).get("conditions")
        ]
        assert len(live) <= 1, f"round {round_}"
        for job in live:
            runs.add(job["metadata"]["name"])
            finish(platform, job["metadata"]["name"], condition="Complete")
            write_outcome(job["metadata"]["name"], Outcome("failed", ""), platform.bucket)
    assert len(runs) <= 3
    assert len(jobs(platform)) == len(runs)


def test_a_first_run_costs_three_calls_of_the_cluster_and_three_of_the_store(platform: Platform) -> None:
    """Models, record, outcome and inbox are read at the same time; then the Job is created, and all Jobs are
    listed."""
    landed = landed_of(platform, b"one")
    counted, calls = counting(platform)
    train.handle(landed, counted)
    assert sorted(calls) == [
        "cluster.create",
        "cluster.list",
        "cluster.list",
        "store.get",
        "store.list",
        "store.list",
    ]
    assert calls[-2:] == ["cluster.create", "cluster.list"]
    assert len(jobs(platform)) == 1
    calls.clear()
    train.handle(landed, counted)
    assert sorted(calls) == [
        "cluster.create",
        "cluster.list",
        "store.get",
        "store.list",
        "store.list",
    ]  # the Models are known for a second


@pytest.mark.parametrize(
    "body",
    [b"", b"[" * 100_000, b"{}", spoilt(resources=7), spoilt(deadline="soon")],
)
def test_a_foreign_object_in_the_inbox_stops_only_its_own_run(platform: Platform, body: bytes) -> None:
    platform.cluster.create(model("almonds"))
    landed = landed_of(platform, b"one")
    platform.store.put(inbox_uri(platform.settings.model_root, RUN.id, RUN.data_at), body)
    train.sweep(new_event(TICK, source="/test", time=NOW), platform)
    assert jobs(platform) == [landed.data["runId"]]


def test_a_job_of_another_name_holds_its_models_turn(platform: Platform) -> None:
    """The Job of a JobSink is one, because it has the model's label."""
    labels = {"app.kubernetes.io/managed-by": "knoll", "knoll.dev/model": "digits"}
    platform.cluster.create(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "sink-1", "labels": labels},
            "spec": {},
        }
    )
    landed = landed_of(platform, b"one")
    train.handle(landed, platform)
    assert jobs(platform) == ["sink-1"]
    finish(platform, "sink-1", condition="Complete")
    train.sweep(landed, platform)
    assert len(jobs(platform)) == 2


def test_the_outcome_of_a_failed_job_says_how_its_last_pod_ended(platform: Platform) -> None:
    """What it lacked comes first, and the outcome has the amount."""
    landed = landed_of(platform, b"one")
    train.handle(landed, platform)
    (run,) = jobs(platform)
    fail_pod(platform, run, "early", 1, "2026-01-01T00:01:00Z")
    fail_pod(platform, run, "late", 137, "2026-01-01T00:09:00Z")
    finish(platform, run, condition="Failed", reason="BackoffLimitExceeded", message="tried 2 times")
    train.sweep(landed, platform)
    outcome = json.loads(platform.store.get(outcome_uri("s3://knoll-models", run)))
    assert outcome["reason"].startswith("the last Pod: killed, probably out of memory: asked for ")
    assert "OOMKilled, exit code 137; BackoffLimitExceeded: tried 2 times; raise spec." in outcome["reason"]
    assert outcome["lacked_memory"] == 2 * 2**30


def test_a_job_of_a_laptop_says_by_itself_that_memory_was_lacking(platform: Platform) -> None:
    """A laptop has no Pods. The field says it, and no words do."""
    landed = landed_of(platform, b"one")
    train.handle(landed, platform)
    (run,) = jobs(platform)
    finish(platform, run, condition="Failed", reason="Any", message="words", exitCode=137, lackedMemory=True)
    train.sweep(landed, platform)
    outcome = json.loads(platform.store.get(outcome_uri("s3://knoll-models", run)))
    assert outcome["reason"].startswith("Any: words; raise spec.training.resources.memory")
    assert outcome["lacked_memory"] == 2 * 2**30


def test_a_pod_that_cannot_start_is_shown_once_as_the_progress_of_its_run(platform: Platform) -> None:
    landed = landed_of(platform, b"one")
    train.handle(landed, platform)
    (run,) = jobs(platform)
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Insufficient gpu.",
    }
    stuck = {**pod(run), "status": {"phase": "Pending", "conditions": [condition]}}
    for _ in range(3):
        train.handle(object_changed(stuck, source="/test", time=NOW), platform)
    reason = "the scheduler finds no node for its Pod: 0/1 nodes are available: 1 Insufficient gpu."
    progress = load_progress(platform.store.get(progress_uri("s3://knoll-models", run)))
    assert (progress.state, progress.reason) == ("waiting", reason)
    (told,) = taken(platform)
    assert (told.type, told.data["runId"]) == (TRAINING_PROGRESSED, run)
    assert (told.data["state"], told.data["reason"]) == ("waiting", reason)
    assert undocumented([landed, told]) == set()


def test_progress_of_the_trainer_is_not_overwritten_by_an_older_event(platform: Platform) -> None:
    """Events arrive out of order: a Pod that could not start may train by now."""
    uri = progress_uri("s3://knoll-models", "digits-1")
    spoken = Progress("training", 40, 60, {}, (NOW + timedelta(seconds=1)).isoformat())
    platform.store.put(uri, spoken.encode())
    waiting = {"name": "trainer", "state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}}
    stuck = {**pod("digits-1"), "status": {"phase": "Pending", "containerStatuses": [waiting]}}
    train.handle(object_changed(stuck, source="/test", time=NOW), platform)
    assert load_progress(platform.store.get(uri)) == spoken
    assert taken(platform) == []


@pytest.mark.parametrize("kind", ["Pod", "Job"])
def test_a_pod_or_job_that_merely_runs_costs_nothing(platform: Platform, kind: str) -> None:
    """There are many such events, and train does nothing for them."""
    landed = landed_of(platform, b"one")
    train.handle(landed, platform)
    (run,) = jobs(platform)
    counted, calls = counting(platform)
    document = (
        {**pod(run), "status": {"phase": "Running"}} if kind == "Pod" else platform.cluster.get("Job", run)
    )
    train.handle(object_changed(document, source="/test", time=NOW), counted)
    assert calls == []


def test_the_record_that_ingest_could_not_write_keeps_fields_of_a_newer_knoll(platform: Platform) -> None:
    """Ingest of a newer knoll was killed after it wrote the entry; this train copies that byte for byte."""
    platform.cluster.create(model("almonds"))
    body = spoilt(invented_later={"a": 1})
    platform.store.put(inbox_uri("s3://knoll-models", RUN.id, RUN.data_at), body)
    train.sweep(new_event(TICK, source="/test", time=NOW), platform)
    assert platform.store.get(run_uri("s3://knoll-models", RUN.id)) == body
    assert jobs(platform) == [RUN.id]
