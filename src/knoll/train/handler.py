"""The train function: exactly one Job for each dataset digest and config.

Two arbiters, never one: the run record, put on condition that there is none, outlives the Job; the Job's name, which is the run id, lets
the API server decide who creates it. One Job of a model is live at a time, the next waits as a record without a Job.
"""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from knoll.errors import AlreadyExists, InvalidModel, KnollError, NotFound, Rejected, act_on_each
from knoll.events import DATASET_LANDED, TRAINING_FAILED, Event, new_event
from knoll.models import parse_model
from knoll.names import outcome_uri, outcomes_uri, runs_uri
from knoll.parts import MANAGED, MODEL_LABEL, owned, part_labels
from knoll.ports import Document, ObjectStore, Platform
from knoll.runs import Outcome, Run, dump, load_run
from knoll.train.job import is_live, job_document, job_failure
from knoll.train.opening import model_of, open_run
from knoll.train.pods import JOB_LABEL, last_end
from knoll.train.waiting import note_obstacle

__all__ = ["handle", "next_run", "sweep"]

_LOG = logging.getLogger(__name__)


def handle(event: Event, platform: Platform) -> Event | None:
    """Open and start the run of a landed dataset, note why a Pod waits; after all else that may free a model's turn, sweep."""
    if event.type == DATASET_LANDED:
        if not _opened_and_started(event, platform):
            sweep(event, platform)
    elif event.extensions.get("kind") == "Pod":
        note_obstacle(event, platform)
    elif not _is_of_live_job(event):
        sweep(event, platform)
    return None


def sweep(event: Event, platform: Platform) -> None:
    """Bring the runs without an outcome one step on: an outcome for a failed Job, and for each model a Job for the oldest that waits."""
    jobs = platform.cluster.list("Job", MANAGED)
    runs = list(_open_runs(platform))

    def go_on(model: str) -> None:
        mine = {job["metadata"]["name"]: job for job in jobs if _labels(job).get(MODEL_LABEL) == model}
        waiting = [run for run in runs if run.model == model and not _settled(run, mine.get(run.id), platform, event)]
        run = next_run(waiting, mine)
        wanted = _wanted_by(run, platform) if run else None
        if run and wanted:
            _start(run, wanted, event, platform)

    act_on_each(sorted({run.model for run in runs}), go_on)


def next_run(waiting: Sequence[Run], jobs: Mapping[str, Document]) -> Run | None:
    """Which run of a model is to get its Job, given all Jobs of that model: none while one is live, else the oldest without one."""
    if any(is_live(job) for job in jobs.values()):
        return None
    without_job = [run for run in waiting if run.id not in jobs]
    return min(without_job, key=lambda run: (run.created_at, run.id), default=None)


def _opened_and_started(event: Event, platform: Platform) -> bool:
    """The short way, for a model that has no other open run: whether nothing is left to do.

    Jobs and ends are listed beforehand, because what they say of a run stays true; records are listed once our own is there, so of two runs
    that open at once one at least sees the other, and sweeps.
    """
    root, model = platform.settings.model_root, model_of(event)
    with ThreadPoolExecutor(2) as others:
        ended = others.submit(_ids, platform.store, outcomes_uri(root), model)
        jobs = others.submit(platform.cluster.list, "Job", part_labels(model))
        opened = open_run(event, platform)
    if opened is None:
        return True
    if not opened.is_new:
        return False
    if any(is_live(job) for job in jobs.result()):
        return True
    run = opened.run
    is_alone = _ids(platform.store, runs_uri(root), model) - ended.result() == {run.id}
    if not is_alone or any(job["metadata"]["name"] == run.id for job in jobs.result()):
        return False
    _start(run, opened.model, event, platform)
    return True


def _start(run: Run, model: Document, cause: Event, platform: Platform) -> None:
    """Create the Job; one that the cluster will never take ends the run."""
    try:
        platform.cluster.create(owned(job_document(run, platform.settings), model))
    except AlreadyExists:
        return
    except Rejected as error:
        _end(run, Outcome("rejected", platform.clock.now().isoformat(), reason=str(error)), platform, cause)


def _ids(store: ObjectStore, place: str, model: str) -> set[str]:
    """Ids of a model's records at that place."""
    record = re.compile(rf"({re.escape(model)}-[0-9a-f]{{20}})\.json")
    found = (record.fullmatch(one.uri.removeprefix(place)) for one in store.list(f"{place}{model}-"))
    return {match[1] for match in found if match}


def _is_of_live_job(event: Event) -> bool:
    """Whether the event only tells that a Job goes on: nobody's turn comes of it."""
    return event.extensions.get("kind") == "Job" and isinstance(event.data, dict) and is_live(event.data)


def _labels(document: Document) -> Mapping[str, str]:
    return document["metadata"].get("labels") or {}


def _open_runs(platform: Platform) -> Iterable[Run]:
    root = platform.settings.model_root
    ended = {one.uri.rpartition("/")[2] for one in platform.store.list(outcomes_uri(root))}
    for one in platform.store.list(runs_uri(root)):
        if one.uri.rpartition("/")[2] in ended:
            continue
        try:
            yield load_run(platform.store.get(one.uri))
        except Rejected as error:
            _LOG.warning("passed over %s: %s", one.uri, error)


def _settled(run: Run, job: Document | None, platform: Platform, event: Event) -> bool:
    """Write the outcome of a run whose Job ended without one: the trainer was killed, or never started."""
    reason = job_failure(job) if job else ""
    if not reason:
        return job is not None and not is_live(job)
    words = "; ".join(filter(None, (reason, _last_words(run, platform))))
    _end(run, Outcome("failed", platform.clock.now().isoformat(), reason=words), platform, event)
    return True


def _end(run: Run, outcome: Outcome, platform: Platform, cause: Event) -> None:
    """Write the outcome and tell of it, unless the run has ended otherwise."""
    uri = outcome_uri(platform.settings.model_root, run.id)
    try:
        platform.store.put(uri, dump(outcome), if_absent=True, content_type="application/json")
    except AlreadyExists:
        return
    data = {"runId": run.id, "model": run.model, "state": outcome.state, "reason": outcome.reason}
    time = platform.clock.now()
    platform.events.publish(
        new_event(TRAINING_FAILED, source=platform.settings.source, time=time, subject=run.model, data=data, cause=cause)
    )


def _last_words(run: Run, platform: Platform) -> str:
    """How the last Pod of a run ended; empty when that cannot be learnt, which must not keep the outcome from being written."""
    try:
        end = last_end(platform.cluster.list("Pod", {JOB_LABEL: run.id}))
    except KnollError as error:
        _LOG.warning("the Pods of %s cannot be listed: %s", run.id, error)
        return ""
    return f"the last Pod: {end}" if end else ""


def _wanted_by(run: Run, platform: Platform) -> Document | None:
    """The Model, if it is still declared: the runs of a deleted one wait until it comes back."""
    try:
        document = platform.cluster.get("Model", run.model)
        parse_model(document)
    except (NotFound, InvalidModel):
        return None
    return document
