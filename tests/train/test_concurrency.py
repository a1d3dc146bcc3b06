"""Runs that wait: with Queue, Replace and Forbid, beyond the quota, and if the cluster denies the Job."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.cluster import MemoryCluster
from knoll.adapters.memory.events import MemoryEvents
from knoll.adapters.memory.store import MemoryStore
from knoll.adapters.predictors_http import HttpPredictors
from knoll.errors import Forbidden
from knoll.events import DATASET_LANDED, TICK, new_event
from knoll.ports import Document, Platform
from knoll.records.inbox import inbox, inbox_uri
from knoll.records.outcome import Outcome, load_outcome, outcome_uri
from knoll.records.progress import load_progress, progress_uri
from knoll.records.run import load_run, run_uri
from knoll.settings import Settings
from knoll.train import handler as train
from train.test_handler import NOW, finish, jobs, land, landed_of, model, taken

ROOT = "s3://knoll-models"
ANY = new_event(TICK, source="/test", time=NOW)


def platform_with(concurrency: str, quota: int = 16) -> Platform:
    cluster = MemoryCluster("default", MemoryClock())
    document = model()
    document["spec"]["training"]["concurrency"] = concurrency
    cluster.create(document)
    return Platform(
        MemoryStore(MemoryClock().now),
        cluster,
        MemoryEvents(),
        HttpPredictors(),
        MemoryClock(),
        Settings(home=Path(), quota=quota),
    )


def train_all(platform: Platform, *contents: bytes) -> list[str]:
    """Land one state of the data after the other, and handle each event; the run ids."""
    runs = []
    for content in contents:
        landed = landed_of(platform, content)
        train.handle(landed, platform)
        runs.append(landed.data["runId"])
    return runs


def outcome(platform: Platform, run: str) -> Any:
    return load_outcome(platform.store.get(outcome_uri(ROOT, run)))


def test_replace_ends_the_older_run_and_starts_the_newer_at_once() -> None:
    """If data was replaced and lands again, it gets a new run."""
    platform = platform_with("Replace")
    clock = iter(range(1, 10))
    platform = replace(platform, store=MemoryStore(lambda: NOW.replace(second=next(clock, 59))))
    old, new = train_all(platform, b"one", b"two")
    assert jobs(platform) == [new]
    assert outcome(platform, old).state == "skipped"
    assert new in outcome(platform, old).reason
    (again,) = train_all(platform, b"one")
    assert again not in (old, new)
    assert jobs(platform) == [again]


def test_forbid_skips_data_that_lands_while_a_run_is_live() -> None:
    platform = platform_with("Forbid")
    first, second = train_all(platform, b"one", b"two")
    assert jobs(platform) == [first]
    assert outcome(platform, second).state == "skipped"
    finish(platform, first, condition="Failed", reason="DeadlineExceeded")
    train.sweep(ANY, platform)
    (third,) = train_all(platform, b"three")
    assert jobs(platform) == sorted([first, third])


def test_a_run_that_has_ended_gets_no_job_if_it_is_opened_late() -> None:
    """Ingest was held up before it wrote the inbox entry, and the event comes again. Data that lands next is
    trained."""
    platform = platform_with("Forbid")
    first, second = train_all(platform, b"one", b"two")
    finish(platform, first, condition="Failed", reason="DeadlineExceeded")
    train.sweep(ANY, platform)
    record = load_run(platform.store.get(run_uri(ROOT, second)))
    platform.store.put(inbox_uri(ROOT, second, record.data_at), record.encode())
    train.handle(new_event(DATASET_LANDED, source="/test", time=NOW, data={"runId": second}), platform)
    assert jobs(platform) == [first]
    (third,) = train_all(platform, b"three")
    assert jobs(platform) == sorted([first, third])


def test_forbid_trains_data_that_lands_while_the_job_of_an_ended_run_still_lives() -> None:
    platform = platform_with("Forbid")
    (first,) = train_all(platform, b"one")
    platform.store.put(outcome_uri(ROOT, first), Outcome("succeeded", NOW.isoformat(), "v000001").encode())
    (second,) = train_all(platform, b"two")
    assert jobs(platform) == [first]
    finish(platform, first, condition="Complete")
    train.sweep(ANY, platform)
    assert jobs(platform) == sorted([first, second])


def test_beyond_the_quota_a_run_is_shown_as_blocked_and_starts_when_there_is_room() -> None:
    platform = platform_with("Queue", quota=1)
    other = model("almonds")
    other["spec"]["dataset"]["uri"] = "s3://data/digits/"
    platform.cluster.create(other)
    landed = landed_of(platform, b"one")
    told = [*taken(platform), landed]
    for event in told:
        train.handle(event, platform)
    (live,) = jobs(platform)
    (blocked,) = {event.data["runId"] for event in told} - {live}
    for _ in range(3):
        train.sweep(ANY, platform)
    progress = load_progress(platform.store.get(progress_uri(ROOT, blocked)))
    assert (progress.state, progress.reason) == ("blocked", "all 1 Jobs of the quota are live")
    finish(platform, live, condition="Failed", reason="DeadlineExceeded")
    train.sweep(ANY, platform)
    assert blocked in jobs(platform)


@pytest.mark.parametrize("way", ["event", "tick"])
def test_a_job_that_the_cluster_denies_is_shown_as_blocked_and_tried_again(way: str) -> None:
    class Denying(MemoryCluster):
        denies = True

        def create(self, document: Document) -> Document:
            if self.denies and document["kind"] == "Job":
                raise Forbidden("exceeded quota: gpus, requested: count/jobs.batch=1, used: 4, limited: 4")
            return super().create(document)

    cluster = Denying("default", MemoryClock())
    cluster.create(model())
    platform = replace(platform_with("Queue"), cluster=cluster)
    landed = landed_of(platform, b"one")
    if way == "event":
        assert train.handle(landed, platform) is None
    train.sweep(ANY, platform)
    run = landed.data["runId"]
    progress = load_progress(platform.store.get(progress_uri(ROOT, run)))
    assert progress.state == "blocked"
    assert progress.reason.startswith("exceeded quota: gpus")
    assert jobs(platform) == []
    cluster.denies = False
    train.sweep(ANY, platform)
    assert jobs(platform) == [run]


def test_of_two_jobs_that_are_started_in_the_same_moment_one_waits_again() -> None:
    """Another process, which saw another inbox, starts the model's other run at the same time. In the end,
    both are trained."""

    class Racing(MemoryCluster):
        other = ""

        def create(self, document: Document) -> Document:
            if document["kind"] == "Job" and self.other:
                metadata, self.other = {**document["metadata"], "name": self.other}, ""
                super().create({**document, "metadata": metadata})
            return super().create(document)

    cluster = Racing("default", MemoryClock())
    cluster.create(model())
    platform = replace(platform_with("Queue"), cluster=cluster)
    uploads = ((b"one",), (b"one", b"two"))
    events = [event for contents in uploads if (event := land(platform, *contents))]
    runs = sorted(event.data["runId"] for event in events)
    cluster.other = runs[1]
    train.sweep(ANY, platform)
    for _ in runs:
        (live,) = [name for name in jobs(platform) if not platform.cluster.get("Job", name).get("status")]
        finish(platform, live, condition="Failed", reason="DeadlineExceeded")
        train.sweep(ANY, platform)
    assert jobs(platform) == runs
    assert list(platform.store.list(inbox(ROOT))) == []
