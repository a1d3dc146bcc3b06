"""Events that go wrong: an event that no function takes is kept once, and what the cluster knows of Jobs and
Pods comes back as events."""

import base64
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from knoll.records.dead_letter import dead_letters_uri
from knoll.records.outcome import outcome_uri
from knoll.records.progress import progress_uri

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

Digits = Callable[..., Path]


def test_an_event_that_no_function_can_take_is_a_dead_letter_once(installation: Any) -> None:
    """train answers 422: no retry, and one object in the model bucket, with the reason."""
    before = letters(installation)
    poison = {"id": uuid.uuid4().hex, "type": "dev.knoll.dataset.landed", "data": {"model": 7}}
    assert installation.publish(poison) == 202
    installation.until(lambda: len(letters(installation)) > len(before), 60)
    installation.tick()
    [letter] = [one for one in letters(installation) if one not in before]
    event = letter["event"]
    assert (event["id"], str(event["knativeerrorcode"])) == (poison["id"], "422")
    assert b"names no run" in base64.b64decode(event["knativeerrordata"])


def test_a_pod_that_cannot_start_is_told_of_without_a_tick(installation: Any, digits: Digits) -> None:
    """No node has so many CPUs. The run says why it waits as soon as the cluster knows."""
    installation.declare("giant", training={"resources": {"cpu": "64", "memory": "1Gi"}})
    installation.upload("giant", digits(start=0, count=20))
    installation.until(lambda: installation.runs("giant"), 60)
    [run] = installation.runs("giant")
    with installation.without_ticks():
        installation.until(
            lambda: "the scheduler finds no node" in progress(installation, run).get("reason", ""), 60
        )
    installation.forget("giant")


def test_bad_data_fails_the_job_at_once_and_its_file_is_named(installation: Any, digits: Digits) -> None:
    """One attempt and no retry, because the Job's policy knows the exit code."""
    folder = digits(start=20, count=20)
    (folder / "7" / "broken.png").write_bytes(b"no picture")
    installation.declare("spoilt")
    installation.upload("spoilt", folder)
    installation.until(
        lambda: installation.runs("spoilt") and outcome(installation, installation.runs("spoilt")[0]), 180
    )
    [run] = installation.runs("spoilt")
    assert outcome(installation, run)["state"] == "rejected"
    assert "7/broken.png" in outcome(installation, run)["reason"]
    installation.until(lambda: installation.cluster.get("Job", run)["status"].get("conditions"), 60)
    pods = installation.cluster.list("Pod", {"batch.kubernetes.io/job-name": run})
    assert len(pods) == 1
    installation.forget("spoilt")


def test_a_trainer_that_is_killed_ends_its_run_with_the_reason(installation: Any, digits: Digits) -> None:
    """The trainer runs out of memory and cannot report it. The Job's failure comes back as an event, and the
    outcome names the cause of the Pod's death."""
    installation.declare("hungry", training={"resources": {"cpu": "200m", "memory": "96Mi"}, "retries": 0})
    installation.upload("hungry", digits(start=40, count=20))
    installation.until(lambda: installation.runs("hungry"), 60)
    [run] = installation.runs("hungry")
    with installation.without_ticks():
        installation.until(lambda: outcome(installation, run), 120)
    assert outcome(installation, run)["state"] == "failed"
    assert "OOMKilled" in outcome(installation, run)["reason"]
    installation.forget("hungry")


def letters(installation: Any) -> list[dict[str, Any]]:
    """All deaths of all letters."""
    return [
        json.loads(installation.store.get(one.uri))
        for one in installation.store.list(dead_letters_uri(installation.root))
        if "/death-" in one.uri
    ]


def progress(installation: Any, run: str) -> dict[str, Any]:
    """The progress of a run, as it is known."""
    found: dict[str, Any] = installation.record(progress_uri(installation.root, run))
    return found


def outcome(installation: Any, run: str) -> dict[str, Any]:
    """How a run ended; {} if it has not ended."""
    found: dict[str, Any] = installation.record(outcome_uri(installation.root, run))
    return found
