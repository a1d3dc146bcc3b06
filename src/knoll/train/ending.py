"""The end of a run that its trainer did not end: the Job failed, the cluster rejects it, or it is skipped."""

import logging
import re
from contextlib import suppress

from knoll.errors import KnollError, NotFound
from knoll.events import TRAINING_FAILED, Event, new_event
from knoll.exits import UNAVAILABLE
from knoll.kube.jobs import is_live, job_failure
from knoll.kube.killed import OUT_OF_MEMORY, job_memory
from knoll.kube.labels import JOB_LABEL
from knoll.models import Model
from knoll.names import model_of_run
from knoll.ports import Document, Platform
from knoll.records.outcome import Outcome, has_outcome, note_spoilt, write_outcome
from knoll.train.entries import remove_entries
from knoll.train.pods import last_end
from knoll.train.turns import OpenRun

__all__ = ["reject_run", "settle_entry", "skip_run", "supersede_run"]

_LOG = logging.getLogger(__name__)
_UNANSWERED = re.compile(rf"exit code (is )?{UNAVAILABLE}\b")  # of the trainer, on a laptop and on a cluster


def settle_entry(entry: OpenRun, job: Document | None, event: Event, platform: Platform) -> bool:
    """Remove the entry if its Job has ended. False if the entry stays.

    If the run has no outcome, it ends as failed: its trainer was killed, or never started.
    """
    if job is None or is_live(job):
        return False
    if not has_outcome(entry.run, platform.bucket):
        _end_run(entry.run, _failure(entry.run, job, platform), event, platform)
    note_spoilt(entry.run, platform.bucket)
    remove_entries([entry], platform.bucket)
    return True


def _failure(run: str, job: Document, platform: Platform) -> Outcome:
    """The outcome of a run whose Job has ended without one. What it lacked comes first."""
    reason = job_failure(job) or "the Job has completed without an outcome"
    told = sorted(
        filter(None, (reason, _last_words(run, platform))), key=lambda words: OUT_OF_MEMORY not in words
    )
    is_short = OUT_OF_MEMORY in told[0]
    words = "; ".join([*told, *_advice("; ".join(told), run)])
    return Outcome("failed", _now(platform), reason=words, lacked_memory=is_short * job_memory(job))


def _advice(told: str, run: str) -> list[str]:
    if OUT_OF_MEMORY in told:
        return ["raise spec.training.resources.memory, or lower batchSize in spec.training.config"]
    if _UNANSWERED.search(told):
        return [
            "each try waited for something that did not answer, or met what only a newer knoll reads: knoll "
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
    remove_entries([entry], platform.bucket)


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


def _last_words(run: str, platform: Platform) -> str:
    """How the last Pod of the run ended. Empty if that cannot be read: the outcome is written anyway."""
    try:
        end = last_end(platform.cluster.list("Pod", {JOB_LABEL: run}))
    except KnollError as error:
        _LOG.warning("the Pods of %s cannot be listed: %s", run, error)
        return ""
    return f"the last Pod: {end}" if end else ""


def _now(platform: Platform) -> str:
    return platform.clock.now().isoformat()
