"""The end of a run that its trainer did not end: the Job failed, the cluster rejects it, or it is skipped."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from knoll.errors import KnollError, NotFound
from knoll.events import TRAINING_FAILED, Event, new_event
from knoll.exits import UNAVAILABLE
from knoll.kube.jobs import TrainerEnd, is_live, job_failure
from knoll.kube.killed import job_memory
from knoll.kube.labels import JOB_LABEL
from knoll.models import Model
from knoll.names import model_of_run
from knoll.ports import Document, Platform
from knoll.records.checkpoint import remove_checkpoints
from knoll.records.outcome import Outcome, has_outcome, settle_outcome, write_outcome
from knoll.train.entries import remove_entries
from knoll.train.pods import last_end
from knoll.train.turns import OpenRun

__all__ = ["close_entry", "reject_run", "settle_entry", "skip_run", "supersede_run"]

_LOG = logging.getLogger(__name__)


def settle_entry(entry: OpenRun, job: Document | None, event: Event, platform: Platform) -> bool:
    """Remove the entry if its Job has ended. False if the entry stays.

    If the run has no outcome, it ends as failed: its trainer was killed, or never started.
    """
    if job is None or is_live(job):
        return False
    if not has_outcome(entry.run, platform.bucket):
        _end_run(entry.run, _failure(entry.run, job, platform), event, platform)
    remove_checkpoints(entry.run, platform.bucket)
    close_entry(entry, platform)
    return True


def close_entry(entry: OpenRun, platform: Platform) -> None:
    """Remove the entry of a run that has ended. If its outcome is gone by now, the next sweep ends it."""
    if settle_outcome(entry.run, platform.bucket):
        remove_entries([entry], platform.bucket)


def _failure(run: str, job: Document, platform: Platform) -> Outcome:
    """The outcome of a run whose Job has ended without one. What it lacked comes first."""
    of_job = job_failure(job) or TrainerEnd("the Job has completed without an outcome")
    ends = sorted((of_job, *_last_end(run, platform)), key=lambda end: not end.lacked_memory)
    words = "; ".join([*(end.words for end in ends), *_advice(ends, run)])
    lacked = job_memory(job) if ends[0].lacked_memory else 0
    return Outcome("failed", _now(platform), reason=words, lacked_memory=lacked)


def _advice(ends: Sequence[TrainerEnd], run: str) -> list[str]:
    if any(end.lacked_memory for end in ends):
        return ["raise spec.training.resources.memory, or lower batchSize in spec.training.config"]
    if any(end.exit_code == UNAVAILABLE for end in ends):
        return [
            "each try failed because something did not answer, or only a newer knoll reads a record: knoll "
            f"runs logs {run} names it; mend that, then change data or config: the same is not trained again"
        ]
    return []


def skip_run(entry: OpenRun, model: Model, reason: str, event: Event, platform: Platform) -> None:
    """End the run untrained, and delete its Job.

    If its data was replaced, and lands again, it gets a new run. Where each object is a dataset, all objects
    stay landed.
    """
    superseded = model.training.concurrency == "Replace" and model.dataset.landed.when != "object"
    _end_untrained(entry, reason, event, platform, superseded=superseded)


def supersede_run(entry: OpenRun, reason: str, event: Event, platform: Platform) -> None:
    """End the run as superseded, and delete its Job. If it is asked for again, it is a new run."""
    _end_untrained(entry, reason, event, platform, superseded=True)


def _end_untrained(
    entry: OpenRun, reason: str, event: Event, platform: Platform, *, superseded: bool
) -> None:
    outcome = Outcome("skipped", _now(platform), reason=reason, superseded=superseded)
    _end_run(entry.run, outcome, event, platform)
    with suppress(NotFound):
        platform.cluster.delete("Job", entry.run)
        remove_checkpoints(entry.run, platform.bucket)
    close_entry(entry, platform)


def reject_run(run: str, reason: str, event: Event, platform: Platform) -> None:
    """End a run whose Job the cluster will never take."""
    _end_run(run, Outcome("rejected", _now(platform), reason=reason), event, platform)


def _end_run(run: str, outcome: Outcome, event: Event, platform: Platform) -> None:
    """Write and publish the outcome, unless the run has one."""
    if not write_outcome(run, outcome, platform.bucket):
        return
    model, source = model_of_run(run), platform.settings.source
    data = {"runId": run, "model": model, "state": outcome.state, "reason": outcome.reason}
    time = platform.clock.now()
    ended = new_event(TRAINING_FAILED, source=source, time=time, subject=model, data=data, cause=event)
    platform.events.publish(ended)


def _last_end(run: str, platform: Platform) -> list[TrainerEnd]:
    """How the last Pod of the run ended. Empty if that cannot be read: the outcome is written anyway."""
    try:
        end = last_end(platform.cluster.list("Pod", {JOB_LABEL: run}))
    except KnollError as error:
        _LOG.warning("the Pods of %s cannot be listed: %s", run, error)
        return []
    return [replace(end, words=f"the last Pod: {end.words}")] if end else []


def _now(platform: Platform) -> str:
    return platform.clock.now().isoformat()
