"""State and reason of a run, decided from its records and its Job."""

from typing import Any

import pytest

from knoll.records.outcome import Outcome
from knoll.records.progress import Progress
from knoll.views.run import run_state

AT = "2026-01-01T00:00:00+00:00"


def job(*conditions: tuple[str, str], **status: Any) -> dict[str, Any]:
    """A Job with these conditions, each a type and a reason."""
    true = [{"type": kind, "status": "True", "reason": reason} for kind, reason in conditions]
    return {"status": {"conditions": true, **status}}


def progress(state: str, reason: str = "") -> Progress:
    return Progress(state, 0, None, {}, AT, reason)


BLOCKED = progress("blocked", "all 2 Jobs of the quota are live")
WAITING = progress("waiting", "ErrImagePull: not found")


@pytest.mark.parametrize(
    ("job", "progress", "wanted"),
    [
        (None, None, ("Queued", "")),
        (None, BLOCKED, ("Blocked", "")),
        (job(), BLOCKED, ("Pending", "its Job has not started yet")),
        (job(active=1), None, ("Running", "starting")),
        (job(active=1), WAITING, ("Pending", "")),
        (job(failed=1), progress("training"), ("Pending", "")),
        (job(active=1), progress("training"), ("Running", "training")),
        (job(("Suspended", "NoCores"), active=1), None, ("Pending", "")),
        (job(("Complete", "")), None, ("Running", "its Job is complete; its outcome is not written yet")),
        (job(("Failed", "DeadlineExceeded")), WAITING, ("Failed", "DeadlineExceeded")),
    ],
)
def test_state_and_reason_before_the_outcome(
    job: dict[str, Any] | None, progress: Progress | None, wanted: tuple[str, str]
) -> None:
    assert run_state(job, progress, None) == wanted


def test_the_outcome_says_how_a_run_ended_whatever_its_job_says() -> None:
    outcome = Outcome("rejected", AT, reason="3/x.png is no picture")
    assert run_state(job(active=1), WAITING, outcome) == ("Rejected", "3/x.png is no picture")
