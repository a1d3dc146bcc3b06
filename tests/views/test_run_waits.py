"""A run that has not begun says what it waits for, since when, and what ends the wait."""

from typing import Any

import pytest

from cli.declared import Records
from knoll.adapters.memory.platform import memory_platform
from knoll.kube.labels import part_labels
from knoll.ports import Platform
from knoll.records.progress import Progress
from knoll.views.run import read_run, run_document
from knoll.views.run_waits import attempt_wait, job_wait
from support.models import model_document

AT = "2026-01-01T10:00:00+00:00"


@pytest.fixture
def platform() -> Platform:
    platform = memory_platform()
    for name in ("digits", "faces"):
        platform.cluster.create(model_document(name))
    return platform


@pytest.fixture
def records(platform: Platform) -> Records:
    return Records(platform)


def queued(records: Records, number: int, model: str = "digits") -> str:
    run = records.run(number, model)
    records.entry(run)
    return run


def job(name: str, model: str = "digits", **status: Any) -> dict[str, Any]:
    """A Job of five minutes and three attempts."""
    spec = {"activeDeadlineSeconds": 300, "backoffLimit": 2}
    metadata = {"name": name, "labels": part_labels(model)}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec, "status": status}


def start(platform: Platform, run: str, model: str = "digits") -> None:
    created = platform.cluster.create(job(run, model))
    platform.cluster.update({**created, "status": {"active": 1, "startTime": AT}}, status=True)


def test_a_run_waits_for_the_live_run_of_its_model(platform: Platform, records: Records) -> None:
    first, second, third = (queued(records, number) for number in (1, 2, 3))
    start(platform, first)
    view = read_run(platform, second)
    assert (view.state, view.reason) == ("Queued", f"its turn: {first} is live")
    assert run_document(view)["wait"] == {
        "for": view.reason,
        "have": 0,
        "need": 1,
        "since": view.run.created_at,
        "until": "2026-01-01T10:05:00+00:00",
        "ends": f"it gets its Job when {first} has ended, at 10:05:00 at the latest",
    }
    wait = read_run(platform, third).wait
    assert wait is not None
    assert (wait.need, wait.ends) == (2, f"it gets its Job when {second} has ended")


def test_a_run_waits_for_a_free_job(platform: Platform, records: Records) -> None:
    run = queued(records, 1)
    busy = [f"faces-{number:020x}" for number in range(platform.settings.quota)]
    for name in busy:
        start(platform, name, "faces")
    view = read_run(platform, run)
    assert view.reason.startswith(f"a free Job: all {len(busy)} of the quota are live: {busy[0]}, ")
    assert "since 2026-01-01 00:00:01" in view.trouble


@pytest.mark.parametrize(
    ("is_declared", "is_in_inbox", "what"),
    [
        (True, True, "its Job"),
        (True, False, "it has no outcome, and is not in the inbox, so it gets no Job"),
        (False, True, "the Model that asked for it was deleted"),
    ],
)
def test_what_is_so_is_said_of_a_run_that_nothing_is_before(
    platform: Platform, records: Records, is_declared: bool, is_in_inbox: bool, what: str
) -> None:
    run = queued(records, 1) if is_in_inbox else records.run()
    if not is_declared:
        platform.cluster.delete("Model", "digits")
    assert read_run(platform, run).reason == what


def test_a_pod_that_cannot_start_has_a_deadline() -> None:
    noted = Progress("waiting", 0, None, {}, AT, "the scheduler finds no node for its Pod: 0/1")
    wait = job_wait(job("digits-1", active=1, startTime=AT), noted)
    assert wait is not None
    assert wait.told == (
        "the scheduler finds no node for its Pod: 0/1; if that is not mended, the run fails at 10:05:00 "
        "(since 2026-01-01 10:00:00)"
    )


def test_a_laptop_has_no_words_of_a_scheduler() -> None:
    short = {"type": "Waiting", "status": "True", "reason": "NoRoom", "message": "it asks for cpu 9"}
    wait = job_wait(job("digits-1", conditions=[{**short, "lastTransitionTime": AT}]), None)
    assert wait is not None
    assert (wait.what, wait.since) == ("this machine has no room for it: it asks for cpu 9", AT)


def test_attempts_are_counted_between_two_of_them() -> None:
    wait = attempt_wait(job("digits-1", failed=1))
    assert wait is not None
    assert (wait.what, wait.have, wait.need) == ("attempt 2 of 3: 1 attempt failed", 1, 3)
    assert attempt_wait(job("digits-1", failed=1, active=1)) is None
