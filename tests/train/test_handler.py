"""Exactly one Job for each dataset and config, whatever is delivered."""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from knoll.adapters.cluster_local import LocalCluster
from knoll.adapters.predictors_http import HttpPredictors
from knoll.adapters.store_memory import MemoryStore
from knoll.errors import InvalidEvent, Rejected, StoreUnavailable
from knoll.events import DATASET_LANDED, OBJECT_CREATED, TICK, Event, new_event
from knoll.ingest import handler as ingest
from knoll.names import outcome_uri
from knoll.ports import Document, Platform
from knoll.settings import Settings
from knoll.train import handler as train

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Still:
    def now(self) -> datetime:
        return NOW


@dataclass
class Sink:
    events: list[Event] = field(default_factory=list)

    def publish(self, event: Event) -> None:
        self.events.append(event)


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
    clock = Still()
    cluster = LocalCluster(tmp_path / "knoll.db", "default", clock)
    cluster.create(model())
    return Platform(MemoryStore(clock.now), cluster, Sink(), HttpPredictors(), clock, Settings(home=tmp_path))


def upload(platform: Platform, *contents: bytes) -> Event:
    """The event of the marker of an upload."""
    for number, content in enumerate(contents):
        platform.store.put(f"s3://data/digits/{number}.png", content)
    platform.store.put("s3://data/digits/_SUCCESS", b"")
    data = {"s3": {"bucket": {"name": "data"}, "object": {"key": "digits/_SUCCESS"}}}
    return new_event(OBJECT_CREATED + "Put", source="aws:s3", time=NOW, subject="digits/_SUCCESS", data=data)


def land(platform: Platform, *contents: bytes) -> Event | None:
    return ingest.handle(upload(platform, *contents), platform)


def jobs(platform: Platform) -> list[str]:
    return [job["metadata"]["name"] for job in platform.cluster.list("Job")]


def finish(platform: Platform, run: str, *, condition: str, **about: str) -> None:
    job = platform.cluster.get("Job", run)
    platform.cluster.update({**job, "status": {"conditions": [{"type": condition, "status": "True", **about}]}}, status=True)


def test_a_landed_dataset_becomes_one_job_that_carries_only_the_run_id(platform: Platform) -> None:
    landed = land(platform, b"one", b"two")
    assert landed is not None
    assert landed.data["objects"] == 2
    train.handle(landed, platform)
    (job,) = platform.cluster.list("Job")
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert container["args"] == [job["metadata"]["name"]]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert "s3://" not in json.dumps(job)


def test_the_same_data_again_has_no_second_run(platform: Platform) -> None:
    first = land(platform, b"one")
    assert first is not None
    train.handle(first, platform)
    assert land(platform, b"one") is None
    train.handle(first, platform)
    assert len(jobs(platform)) == 1


def test_the_same_event_delivered_fifty_times_at_once_makes_one_job(platform: Platform) -> None:
    landed = land(platform, b"one")
    assert landed is not None
    with ThreadPoolExecutor(16) as pool:
        for future in [pool.submit(train.handle, landed, platform) for _ in range(50)]:
            future.result()
    assert len(jobs(platform)) == 1


def test_other_data_and_another_config_are_other_runs_that_wait_for_the_first(platform: Platform) -> None:
    for content in (b"one", b"two"):
        landed = land(platform, content)
        assert landed is not None
        train.handle(landed, platform)
    document = platform.cluster.get("Model", "digits")
    platform.cluster.update({**document, "spec": model(epochs=9)["spec"]})
    third = land(platform, b"two")
    assert third is not None
    train.handle(third, platform)
    seen = []
    while len(seen) < 3:
        (live,) = [name for name in jobs(platform) if name not in seen]
        seen.append(live)
        finish(platform, live, condition="Complete")
        platform.store.put(outcome_uri("s3://knoll-models", live), b"{}", if_absent=True)
        train.sweep(landed, platform)
    assert len(set(jobs(platform))) == 3


def test_data_that_is_being_deleted_is_not_trained_until_a_marker_says_that_it_shall_be(platform: Platform) -> None:
    first = land(platform, b"one", b"two", b"three")
    assert first is not None
    train.handle(first, platform)
    platform.store.delete("s3://data/digits/2.png")
    ingest.sweep(first, platform)
    assert "objects are gone" in platform.cluster.get("Model", "digits")["status"]["dataset"]["reason"]
    assert platform.events.events == []  # type: ignore[attr-defined]
    platform.store.put("s3://data/digits/1.png", b"other")
    assert land(platform) is not None


def test_sweep_alone_starts_what_no_event_told_of(platform: Platform) -> None:
    upload(platform, b"one")
    tick = new_event(TICK, source="/test", time=NOW)
    ingest.sweep(tick, platform)
    (landed,) = platform.events.events  # type: ignore[attr-defined]
    train.handle(landed, platform)
    platform.cluster.delete("Job", jobs(platform)[0])
    train.sweep(tick, platform)
    assert len(jobs(platform)) == 1


def test_a_failed_job_gets_an_outcome_once_and_frees_the_queue(platform: Platform) -> None:
    landed = land(platform, b"one")
    assert landed is not None
    train.handle(landed, platform)
    (run,) = jobs(platform)
    finish(platform, run, condition="Failed", reason="BackoffLimitExceeded", message="tried 3 times")
    for _ in range(3):
        train.sweep(landed, platform)
    outcome = json.loads(platform.store.get(outcome_uri("s3://knoll-models", run)))
    assert outcome["state"] == "failed"
    assert "BackoffLimitExceeded: tried 3 times" in outcome["reason"]
    assert len(platform.events.events) == 1  # type: ignore[attr-defined]


def test_an_event_that_names_a_snapshot_of_other_data_is_rejected(platform: Platform) -> None:
    landed = land(platform, b"one")
    assert landed is not None
    platform.store.put(landed.data["dataset"].replace(landed.data["datasetDigest"], "0" * 64), platform.store.get(landed.data["dataset"]))
    forged = new_event(DATASET_LANDED, source="/forged", time=NOW, data={**landed.data, "datasetDigest": "0" * 64})
    with pytest.raises(Rejected):
        train.handle(forged, platform)
    with pytest.raises(InvalidEvent):
        train.handle(new_event(DATASET_LANDED, source="/forged", time=NOW, data=["digits"]), platform)
    assert jobs(platform) == []


def test_a_model_or_record_that_is_ill_does_not_stop_the_others(platform: Platform) -> None:
    """Sweep goes on past a faulty Model, a record that is none and a model whose bucket does not answer."""

    class Picky(MemoryStore):
        def list(self, prefix: str) -> Any:
            if prefix.startswith("s3://elsewhere/"):
                raise StoreUnavailable("no access")
            return super().list(prefix)

    picky = replace(platform, store=Picky(lambda: NOW))
    ill = model("almonds")
    ill["spec"]["dataset"]["uri"] = "s3://elsewhere/almonds/"
    platform.cluster.create(ill)
    platform.cluster.create({**model("beans"), "spec": {"family": 3}})
    picky.store.put("s3://knoll-models/runs/digits-0.json", b"rubbish")
    tick = upload(picky, b"one")
    with pytest.raises(StoreUnavailable):
        ingest.sweep(tick, picky)
    (landed,) = platform.events.events  # type: ignore[attr-defined]
    train.handle(landed, picky)
    assert len(jobs(platform)) == 1


@pytest.mark.parametrize("seed", range(5))
def test_any_order_of_duplicated_and_lost_events_ends_with_one_job_at_a_time_and_one_run_each(platform: Platform, seed: int) -> None:
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
        for landed in platform.events.events:  # type: ignore[attr-defined]
            train.handle(landed, platform)
        live = [job for job in platform.cluster.list("Job") if not (job.get("status") or {}).get("conditions")]
        assert len(live) <= 1, f"round {round_}"
        for job in live:
            runs.add(job["metadata"]["name"])
            finish(platform, job["metadata"]["name"], condition="Complete")
            platform.store.put(outcome_uri("s3://knoll-models", job["metadata"]["name"]), b"{}")
    assert len(runs) <= 3
    assert len(jobs(platform)) == len(runs)
