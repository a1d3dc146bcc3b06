"""One run: its records in the model bucket, and its Job, together.

The records are the truth. The Job only adds why nothing happens yet, so a run is still explained after its
Job was cleaned up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from knoll.data_files import Skipped
from knoll.errors import NotFound
from knoll.kube.jobs import is_live
from knoll.ports import Document, Platform
from knoll.records.doubts import outcome_fault
from knoll.records.outcome import Outcome, find_outcome
from knoll.records.progress import BLOCKED, WAITING, DataRead, Progress, StepsTaken, find_progress
from knoll.records.run import Run, find_run
from knoll.views.conditions import conditions_of
from knoll.views.curve import Curve
from knoll.views.run_waits import Queue, attempt_wait, job_wait, turn_wait
from knoll.views.verdicts import LastDecision, read_verdict
from knoll.waits import Wait, wait_document

__all__ = ["UNKNOWN", "RunView", "read_run", "run_document", "run_state"]

_ENDED = {"succeeded": "Succeeded", "rejected": "Rejected", "failed": "Failed", "skipped": "Skipped"}
_SUPERSEDED, _DIVERGED = "Superseded", "Diverged"
UNKNOWN = "Unknown"


@dataclass(frozen=True)
class RunView:
    """One run as people see it. `state` is Queued, Blocked, Pending, Running, Succeeded, Rejected, Diverged,
    Failed, Skipped, Superseded or Unknown, `reason` says why. Unknown: it has no outcome that counts, and
    nothing goes on with it; `outcome_fault` says why the outcome in its place does not count, "" if none is
    there. `verdict` is what a rollout has decided about its version, and `wait` what the run waits for before
    it begins."""

    run: Run
    state: str
    reason: str
    progress: Progress | None
    outcome: Outcome | None
    verdict: LastDecision
    wait: Wait | None
    outcome_fault: str = ""

    @property
    def is_over(self) -> bool:
        """Whether the run has ended, well or badly, or nobody knows how."""
        return self.state in (*_ENDED.values(), _SUPERSEDED, _DIVERGED, UNKNOWN)

    @property
    def metrics(self) -> Mapping[str, float]:
        """The held-out metrics of a run that has ended, else the last ones from the trainer."""
        if self.outcome and self.outcome.metrics:
            return self.outcome.metrics
        return self.progress.metrics if self.progress else {}

    @property
    def golden(self) -> Mapping[str, float]:
        """The metrics on the golden set; empty if there is none."""
        return self.outcome.golden if self.outcome else {}

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
    def reading(self) -> DataRead | None:
        """How much of its data is read; None unless it reads."""
        return self.progress.reading if self.state == "Running" and self.progress else None

    @property
    def steps(self) -> StepsTaken | None:
        """How far its steps are, and how fast; None unless it trains."""
        return self.progress.steps if self.state == "Running" and self.progress else None

    @property
    def losses(self) -> Mapping[str, Sequence[tuple[int, float]]]:
        """Percent and value of some of its losses so far, by their names; empty unless it runs."""
        running = self.progress if self.state == "Running" else None
        return Curve(self.run.id, running.curve).by_loss if running else {}

    @property
    def attempt(self) -> int:
        """The number of the attempt that trains it, or has ended it; 0 before the first one."""
        return self.progress.attempt if self.progress else 0

    @property
    def resumed_step(self) -> int:
        """The step of the checkpoint from which that attempt went on; 0 if it began anew."""
        return self.progress.resumed_step if self.progress else 0

    @property
    def left_out(self) -> tuple[Skipped, ...]:
        """The bad files that it does without, by reason."""
        told = self.outcome or self.progress
        return told.left_out if told else ()

    @property
    def is_settled(self) -> bool:
        """Whether nothing about the run changes any more, not even the verdict on its version."""
        is_known = self.is_over and self.state != UNKNOWN
        return is_known and (not self.version or self.verdict.is_settled)

    @property
    def trouble(self) -> str:
        """The reason of every state but Succeeded, the wait in full, or the reason of the verdict."""
        if self.verdict.is_bad:
            return self.verdict.reason
        if self.wait:
            return self.wait.told
        return self.reason if self.state != "Succeeded" else ""


def read_run(platform: Platform, id: str, queue: Queue | None = None) -> RunView:
    """One run with its Job. `queue` is shared by runs that are read together. Raises NotFound."""
    run = find_run(id, platform.bucket)
    if run is None:
        raise NotFound(f"run {id}: there is no such run", fix="knoll runs lists them")
    queue = queue or Queue(platform)
    progress, outcome = find_progress(id, platform.bucket), find_outcome(id, platform.bucket)
    job = _find_job(platform, id)
    if outcome is None and not (job and is_live(job)) and id not in queue.runs:
        outcome = find_outcome(id, platform.bucket)  # it may have been settled since
        if outcome is None:
            return _unknown(run, progress, platform)
    state, reason = run_state(job, progress, outcome)
    wait = None
    if state in ("Queued", "Blocked"):
        wait = turn_wait(run, progress, queue)
    elif state == "Pending" and job:
        wait = job_wait(job, progress)
    verdict = read_verdict(platform, run.model, outcome.version) if outcome else LastDecision()
    return RunView(run, state, wait.what if wait else reason, progress, outcome, verdict, wait)


def _unknown(run: Run, progress: Progress | None, platform: Platform) -> RunView:
    """A run that is not in the inbox, though no outcome of it counts."""
    fault = outcome_fault(run.id, platform.bucket)
    why = "it has no outcome, and is not in the inbox, so it gets no Job"
    if fault:
        why = f"its outcome does not count: {fault}; knoll doctor names it"
    return RunView(run, UNKNOWN, why, progress, None, LastDecision(), None, fault)


def run_state(job: Document | None, progress: Progress | None, outcome: Outcome | None) -> tuple[str, str]:
    """Decide state and reason from the records and the Job. The reason of a wait is in `run_waits`."""
    if outcome:
        state = _DIVERGED if outcome.diverged_step else _ENDED[outcome.state]
        return _SUPERSEDED if outcome.superseded else state, outcome.reason
    if job is None:
        if progress and progress.state == BLOCKED:
            return "Blocked", ""
        return "Queued", ""
    return _state_of_job(job, progress)


def _state_of_job(job: Document, progress: Progress | None) -> tuple[str, str]:
    """State and reason of a run that has a Job and no outcome."""
    conditions = {one.type: one.words for one in conditions_of(job) if one.status == "True"}
    if "Failed" in conditions:
        return "Failed", conditions["Failed"]
    if not is_live(job):
        return "Running", "its Job is complete; its outcome is not written yet"
    noted = progress.state if progress else ""
    if noted == WAITING or attempt_wait(job):
        return "Pending", ""
    told = "" if noted == BLOCKED else noted  # the run was blocked before it had a Job
    status = job.get("status") or {}
    if told or status.get("ready") or (status.get("active") and not conditions):
        return "Running", told or "starting"
    return "Pending", "" if conditions else "its Job has not started yet"


def reading_document(one: DataRead | None) -> dict[str, int] | None:
    """How much is read as `-o json` shows it."""
    if one is None:
        return None
    return {"files": one.files, "ofFiles": one.of_files, "bytes": one.bytes, "ofBytes": one.of_bytes}


def run_document(view: RunView) -> dict[str, Any]:
    """The run as `-o json` shows it; unknown values are null or empty."""
    return {
        "run": view.run.id,
        "model": view.run.model,
        "state": view.state,
        "reason": view.reason,
        "outcomeFault": view.outcome_fault,
        "wait": wait_document(view.wait),
        "reading": reading_document(view.reading),
        "steps": view.steps.document() if view.steps else None,
        "attempt": view.attempt,
        "resumedStep": view.resumed_step,
        "leftOut": [asdict(one) for one in view.left_out],
        "verdict": view.verdict.name,
        "verdictReason": view.verdict.reason,
        "progressPercentage": view.percentage,
        "estimatedRemainingSeconds": view.seconds_left,
        "metrics": dict(view.metrics),
        "golden": dict(view.golden),
        "version": view.version,
        "seed": view.outcome.seed if view.outcome else None,
        "warnings": list(view.progress.warnings) if view.progress else [],
        "datasetDigest": view.run.dataset_digest,
        "createdAt": view.run.created_at,
        "endedAt": view.outcome.ended_at if view.outcome else "",
    }


def _find_job(platform: Platform, id: str) -> Document | None:
    try:
        return platform.cluster.get("Job", id)
    except NotFound:
        return None
