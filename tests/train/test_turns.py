"""Whose turn it is, decided over the inbox and the Jobs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from knoll.kube.labels import part_labels
from knoll.ports import Document
from knoll.train.turns import Concurrency, OpenRun, forbidding, plan_turns, surplus

NOW = datetime(2026, 1, 1, tzinfo=UTC)
QUEUE: dict[str, Concurrency] = {"digits": "Queue", "faces": "Queue", "words": "Queue"}


def run(model: str, number: int) -> str:
    return f"{model}-{number:020x}"


def entry(model: str, number: int) -> OpenRun:
    data_at = (NOW + timedelta(seconds=number)).isoformat()
    return OpenRun(data_at, run(model, number), model, (f"s3://models/inbox/{number}",))


def job(model: str, number: int, *, ended: str = "", created: str = "", **metadata: Any) -> Document:
    conditions = [{"type": ended, "status": "True"}] if ended else []
    about = {
        "name": run(model, number),
        "labels": part_labels(model),
        "creationTimestamp": created,
        **metadata,
    }
    return {"metadata": about, "status": {"conditions": conditions}}


def test_the_oldest_of_each_model_starts_and_the_rest_wait() -> None:
    plan = plan_turns([entry("digits", 2), entry("digits", 1), entry("faces", 3)], [], QUEUE, 9)
    assert plan.start == [entry("digits", 1), entry("faces", 3)]
    assert (plan.blocked, plan.skip) == ([], {})


def test_any_live_job_of_a_model_holds_its_turn() -> None:
    entries = [entry("digits", 1), entry("faces", 2)]
    assert plan_turns(entries, [job("digits", 1)], QUEUE, 9).start == [entry("faces", 2)]
    assert plan_turns(entries, [job("digits", 7, name="sink-1")], QUEUE, 9).start == [entry("faces", 2)]


def test_an_ended_job_frees_the_turn_but_its_own_run_has_had_it() -> None:
    plan = plan_turns([entry("digits", 1), entry("digits", 2)], [job("digits", 1, ended="Failed")], QUEUE, 9)
    assert plan.start == [entry("digits", 2)]


def test_beyond_the_quota_the_youngest_are_blocked() -> None:
    entries = [entry("digits", 3), entry("faces", 1), entry("words", 2)]
    plan = plan_turns(entries, [job("others", 9)], QUEUE, 2)
    assert (plan.start, plan.blocked) == ([entry("faces", 1)], [entry("words", 2), entry("digits", 3)])


def test_the_runs_of_a_model_that_is_not_declared_wait() -> None:
    assert plan_turns([entry("gone", 1)], [], QUEUE, 9).start == []


def test_replace_ends_all_but_the_newest_and_starts_that_at_once() -> None:
    """Also when the quota is used up by the Job that is replaced."""
    plan = plan_turns(
        [entry("digits", number) for number in (1, 2, 3)], [job("digits", 1)], {"digits": "Replace"}, 1
    )
    assert plan.start == [entry("digits", 3)]
    assert list(plan.skip) == [entry("digits", 1), entry("digits", 2)]
    assert set(plan.skip.values()) == {f"replaced by {run('digits', 3)}: the Model's concurrency is Replace"}
    assert plan_turns([entry("digits", 3)], [job("digits", 3)], {"digits": "Replace"}, 1).skip == {}


def test_forbid_skips_data_that_lands_while_a_run_is_live() -> None:
    entries = [entry("digits", 1), entry("digits", 2)]
    plan = plan_turns(entries, [job("digits", 1)], {"digits": "Forbid"}, 9)
    assert (plan.start, list(plan.skip)) == ([], [entry("digits", 2)])
    assert plan_turns(entries, [], {"digits": "Forbid"}, 9).start == [entry("digits", 1)]


def test_forbid_lets_data_wait_for_the_job_of_an_ended_run() -> None:
    entries, jobs = [entry("digits", 1), entry("digits", 2)], [job("digits", 1)]
    assert forbidding(
        entries, [*jobs, job("digits", 3, ended="Complete"), job("faces", 1)], {"digits": "Forbid"}
    ) == {run("digits", 1)}
    plan = plan_turns(entries, jobs, {"digits": "Forbid"}, 9, {run("digits", 1)})
    assert (plan.start, plan.skip) == ([], {})


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_live_jobs_of_a_model_all_processes_delete_the_same(order: int) -> None:
    """A Job that is not of a run is never deleted, and a Job that is being deleted does not count."""
    old, new = (
        job("digits", 2, created="2026-01-01T00:00:00Z"),
        job("digits", 1, created="2026-01-01T00:00:01Z"),
    )
    assert surplus([old, new, job("faces", 3)][::order], 9, NOW) == [run("digits", 1)]
    assert surplus(
        [job("digits", 0, name="sink-1", created="2026-01-02T00:00:00Z"), old][::order], 9, NOW
    ) == [run("digits", 2)]
    assert surplus([old, job("digits", 3, deletionTimestamp="2026-01-01T00:00:09Z")][::order], 9, NOW) == []


@pytest.mark.parametrize("order", [1, -1])
def test_beyond_the_quota_the_last_jobs_are_deleted_unless_they_have_run_for_two_minutes(order: int) -> None:
    """Two processes may each have seen room for one Job. A lower quota ends no run."""
    jobs = [
        job(model, number, created=f"2026-01-01T00:{number:02d}:00Z") for number, model in enumerate(QUEUE, 1)
    ][::order]
    assert surplus(jobs, 1, NOW.replace(minute=3)) == [run("faces", 2), run("words", 3)]
    assert surplus(jobs, 1, NOW.replace(minute=4)) == [run("words", 3)]
    assert surplus(jobs, 1, NOW.replace(minute=9)) == surplus(jobs, 3, NOW) == []
