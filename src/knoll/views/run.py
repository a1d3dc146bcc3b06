"""One run: its records in the model bucket, and its Job, together.

The records are the truth. The Job only adds why nothing happens yet, so a run is still explained after its
Job was cleaned up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from knoll.errors import NotFound
from knoll.kube.jobs import is_live
from knoll.ports import Document, Platform
from knoll.records.outcome import Outcome, find_outcome
from knoll.records.progress import BLOCKED, WAITING, Progress, find_progress
from knoll.records.run import Run, find_run
from knoll.views.models import conditions_of
from knoll.views.verdicts import Verdict, read_verdict

__all__ = ["RunView", "read_run", "run_document", "run_state"]

_ENDED = {"succeeded": "Succeeded", "rejected": "Rejected", "failed": "Failed", "skipped": "Skipped"}
_SUPERSEDED = "Superseded"


@dataclass(frozen=True)
class RunView:
    """One run as people see it. `state` is Queued, Blocked, Pending, Running, Succeeded, Rejected, Failed,
    Skipped or Superseded, `reason` says why. `verdict` is what a rollout has decided about its version."""

    run: Run
    state: str
    reason: str
    progress: Progress | None
    outcome: Outcome | None
    verdict: Verdict

    @property
    def is_over(self) -> bool:
        """Whether the run has ended, well or badly."""
        return self.state in (*_ENDED.values(), _SUPERSEDED)

    @property
    def metrics(self) -> Mapping[str, float]:
        """The held-out metrics of a run that has ended, else the last ones from the trainer."""
        if self.outcome and self.outcome.metrics:
            return self.outcome.metrics
        return self.progress.metrics if self.progress else {}

    @property
    def percentage(self) -> int | None:
        """How much of the run is done; None if unknown."""
        if self.state == "Succeeded":
            return 100
        return self.progress.progress_percentage if self.progress else None

    @property
    def seconds_left(self) -> int | None:
        """Estimated seconds to the end; None if unknown or over."""
        return None if self.is_over or not self.progress else self.progress.estimated_remaining_seconds

    @property
    def version(self) -> str:
        """The version that the run made; "" for none."""
        return self.outcome.version if self.outcome else ""

    @property
    def shown_state(self) -> str:
        """The state for people: a run whose version may not serve has not simply succeeded."""
        return self.verdict.name if self.verdict.is_bad else self.state

    @property
    def is_settled(self) -> bool:
        """Whether nothing about the run changes any more, not even the verdict on its version."""
        return self.is_over and (not self.version or self.verdict.is_settled)

    @property
    def trouble(self) -> str:
        """The reason of every state but Succeeded, or of the verdict."""
        if self.verdict.is_bad:
            return self.verdict.reason
        return self.reason if self.state != "Succeeded" else ""


def read_run(platform: Platform, id: str) -> RunView:
    """One run with its Job. Raises NotFound."""
    run = find_run(id, platform.bucket)
    if run is None:
        raise NotFound(f"run {id}: there is no such run", fix="knoll runs lists them")
    progress, outcome = find_progress(id, platform.bucket), find_outcome(id, platform.bucket)
    state, reason = run_state(_find_job(platform, id), progress, outcome)
    verdict = read_verdict(platform, run.model, outcome.version) if outcome else Verdict()
    return RunView(run, state, reason, progress, outcome, verdict)


def run_state(job: Document | None, progress: Progress | None, outcome: Outcome | None) -> tuple[str, str]:
    """Decide state and reason from the records and the Job."""
    if outcome:
        return _SUPERSEDED if outcome.superseded else _ENDED[outcome.state], outcome.reason
    if job is None:
        if progress and progress.state == BLOCKED:
            return "Blocked", progress.reason
        return "Queued", "waits for the run before it"
    return _state_of_job(job, progress)


def _state_of_job(job: Document, progress: Progress | None) -> tuple[str, str]:
    """State and reason of a run that has a Job and no outcome."""
    conditions = {one.type: one.words for one in conditions_of(job) if one.status == "True"}
    if "Failed" in conditions:
        return "Failed", conditions["Failed"]
    noted = progress.state if progress else ""
    if progress and noted == WAITING:
        return "Pending", progress.reason
    told = "" if noted == BLOCKED else noted  # the run was blocked before it had a Job
    status = job.get("status") or {}
    waiting = next(iter(conditions.values()), "")
    if told or status.get("ready") or not is_live(job) or (status.get("active") and not waiting):
        return "Running", told or "starting"
    return "Pending", waiting or "its Job has not started yet"


def run_document(view: RunView) -> dict[str, Any]:
    """The run as `-o json` shows it; unknown values are null or empty."""
    return {
        "run": view.run.id,
        "model": view.run.model,
        "state": view.state,
        "reason": view.reason,
        "verdict": view.verdict.name,
        "verdictReason": view.verdict.reason,
        "progressPercentage": view.percentage,
        "estimatedRemainingSeconds": view.seconds_left,
        "metrics": dict(view.metrics),
        "version": view.version,
        "datasetDigest": view.run.dataset_digest,
        "createdAt": view.run.created_at,
        "endedAt": view.outcome.ended_at if view.outcome else "",
    }


def _find_job(platform: Platform, id: str) -> Document | None:
    try:
        return platform.cluster.get("Job", id)
    except NotFound:
        return None
