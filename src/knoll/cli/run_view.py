"""What is known of runs: their records in the model bucket and their Jobs, put together for a table, a tree
or a program.

Records are the truth, a Job only adds why nothing happens yet: so a run is still explained when its Job has
long been cleaned up.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from knoll.cli.units import age, duration, numbers
from knoll.errors import NotFound
from knoll.ports import Document, Platform
from knoll.records.outcome import Outcome, load_outcome, outcome_uri
from knoll.records.progress import BLOCKED, WAITING, Progress, load_progress, progress_uri
from knoll.records.run import Run, load_run, run_uri, runs_uri

__all__ = [
    "RUN_HEADINGS",
    "RunView",
    "find_run",
    "list_run_ids",
    "read_run",
    "read_runs",
    "run_document",
    "run_line",
    "run_row",
    "run_state",
]

RUN_HEADINGS = ("RUN", "MODEL", "STATE", "PROGRESS", "ETA", "METRICS", "VERSION", "AGE", "WHY")
_RUN_ID = re.compile(r"(.+)-[0-9a-f]{20}")
_ENDED = {"succeeded": "Succeeded", "rejected": "Rejected", "failed": "Failed", "skipped": "Skipped"}
_Record = TypeVar("_Record")


@dataclass(frozen=True)
class RunView:
    """One run as people see it. `state` is Queued, Blocked, Pending, Running, Succeeded, Rejected, Failed or
    Skipped, `reason` says why."""

    run: Run
    state: str
    reason: str
    progress: Progress | None
    outcome: Outcome | None

    @property
    def is_over(self) -> bool:
        """Whether the run has ended, well or badly."""
        return self.state in _ENDED.values()

    @property
    def metrics(self) -> Mapping[str, float]:
        """The held-out metrics of a run that has ended, else what the trainer last told."""
        if self.outcome and self.outcome.metrics:
            return self.outcome.metrics
        return self.progress.metrics if self.progress else {}


def run_state(job: Document | None, progress: Progress | None, outcome: Outcome | None) -> tuple[str, str]:
    """Decide state and reason from what is stored."""
    if outcome:
        return _ENDED[outcome.state], outcome.reason
    noted = progress.state if progress else ""
    if job is None:
        blocked = progress.reason if progress and noted == BLOCKED else ""
        return ("Blocked", blocked) if blocked else ("Queued", "waits for the run before it")
    status = job.get("status") or {}
    conditions = {
        one.get("type"): one for one in status.get("conditions") or [] if one.get("status") == "True"
    }
    if "Failed" in conditions:
        return "Failed", _words(conditions["Failed"])
    if progress and noted == WAITING:
        return "Pending", progress.reason
    told = "" if noted == BLOCKED else noted  # what blocked it was before there was a Job
    if told or status.get("ready") or "Complete" in conditions:
        return "Running", told or "starting"
    waiting = next((_words(one) for one in conditions.values()), "")
    if status.get("active") and not waiting:
        return "Running", "starting"
    return "Pending", waiting or "its Job has not started yet"


def list_run_ids(platform: Platform, model: str = "") -> list[str]:
    """Ids of the runs of a model, or of all, newest record first."""
    found = sorted(
        platform.store.list(runs_uri(platform.settings.model_root)),
        key=lambda one: (one.modified, one.uri),
        reverse=True,
    )
    ids = (one.uri.rpartition("/")[2].removesuffix(".json") for one in found)
    return [one for one in ids if (match := _RUN_ID.fullmatch(one)) and model in ("", match[1])]


def read_runs(
    platform: Platform,
    model: str = "",
    limit: int = 20,
    *,
    known: Mapping[str, RunView] | None = None,
    also: Collection[str] = (),
) -> list[RunView]:
    """The newest runs and those of `also`, newest first; those that `known` shows as over are not read
    again."""
    over = {id: view for id, view in (known or {}).items() if view.is_over}
    ids = [id for number, id in enumerate(list_run_ids(platform, model)) if number < limit or id in also]
    views = [over.get(id) or read_run(platform, id) for id in ids]
    return sorted(views, key=lambda view: view.run.created_at, reverse=True)


def read_run(platform: Platform, id: str) -> RunView:
    """One run with its Job. Raises NotFound."""
    root = platform.settings.model_root
    run = load_run(platform.store.get(run_uri(root, id)))
    outcome = _record(platform, outcome_uri(root, id), load_outcome)
    progress = _record(platform, progress_uri(root, id), load_progress)
    state, reason = run_state(_job(platform, id), progress, outcome)
    return RunView(run, state, reason, progress, outcome)


def find_run(platform: Platform, wanted: str) -> str:
    """The run id that `wanted` means: an id, a unique prefix of one, or a model's name for its newest run.
    Raises NotFound."""
    ids = list_run_ids(platform)
    of_model = [id for id in ids if _RUN_ID.sub(r"\1", id) == wanted]
    matches = [wanted] if wanted in ids else of_model[:1] or [id for id in ids if id.startswith(wanted)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise NotFound(
            f"run {wanted!r}: {len(matches)} runs begin so: {', '.join(matches[:5])}", fix="give more letters"
        )
    raise NotFound(f"run {wanted!r}: there is none of that id, prefix or model", fix="knoll runs lists them")


def run_row(view: RunView, now: datetime) -> tuple[str, ...]:
    """The cells under RUN_HEADINGS."""
    reason = view.reason if view.state != "Succeeded" else ""
    version = view.outcome.version if view.outcome else ""
    told = (_percent(view), _eta(view), numbers(view.metrics), version)
    return (view.run.id, view.run.model, view.state, *told, age(view.run.created_at, now), reason)


def run_line(view: RunView) -> str:
    """The run on one line, without its age: the line changes only when the run does."""
    reason = f"({view.reason})" if view.reason and view.state != "Succeeded" else ""
    eta = f"ETA {_eta(view)}" if _eta(view) else ""
    version = view.outcome.version if view.outcome else ""
    return " ".join(
        part
        for part in (view.run.id, view.state, reason, _percent(view), eta, numbers(view.metrics), version)
        if part
    )


def run_document(view: RunView) -> dict[str, Any]:
    """The run as `-o json` shows it; unknown values are null or empty."""
    return {
        "run": view.run.id,
        "model": view.run.model,
        "state": view.state,
        "reason": view.reason,
        "progressPercentage": _percentage(view),
        "estimatedRemainingSeconds": None
        if view.is_over or not view.progress
        else view.progress.estimated_remaining_seconds,
        "metrics": dict(view.metrics),
        "version": view.outcome.version if view.outcome else "",
        "datasetDigest": view.run.dataset_digest,
        "createdAt": view.run.created_at,
        "endedAt": view.outcome.ended_at if view.outcome else "",
    }


def _percentage(view: RunView) -> int | None:
    if view.state == "Succeeded":
        return 100
    return view.progress.progress_percentage if view.progress else None


def _percent(view: RunView) -> str:
    percentage = _percentage(view)
    return "" if percentage is None else f"{percentage} %"


def _eta(view: RunView) -> str:
    if view.is_over or not view.progress or view.progress.estimated_remaining_seconds is None:
        return ""
    return duration(view.progress.estimated_remaining_seconds)


def _words(condition: Mapping[str, Any]) -> str:
    return ": ".join(str(part) for part in (condition.get("reason"), condition.get("message")) if part)


def _job(platform: Platform, id: str) -> Document | None:
    try:
        return platform.cluster.get("Job", id)
    except NotFound:
        return None


def _record(platform: Platform, uri: str, load: Callable[[bytes], _Record]) -> _Record | None:
    try:
        return load(platform.store.get(uri))
    except NotFound:
        return None
