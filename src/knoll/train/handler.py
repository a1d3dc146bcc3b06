"""The train function: exactly one Job for each dataset digest and config.

Two arbiters, never one: the run record, put on condition that there is none, outlives the Job; the Job's name, which is the run id, lets
the API server decide who creates it. One Job of a model is live at a time, the next waits as a record without a Job.
"""

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from knoll.errors import AlreadyExists, InvalidEvent, InvalidModel, NotFound, Rejected, act_on_each
from knoll.events import DATASET_LANDED, TRAINING_FAILED, Event, new_event
from knoll.models import Model, parse_model
from knoll.names import dataset_uri, outcome_uri, outcomes_uri, run_id, run_uri, runs_uri
from knoll.ports import Document, Platform
from knoll.runs import Outcome, Run, dump, load_dataset, load_run
from knoll.train.job import is_live, job_document, job_failure

__all__ = ["handle", "next_run", "sweep"]

_LOG = logging.getLogger(__name__)


def handle(event: Event, platform: Platform) -> Event | None:
    """Open the run of a landed dataset; after any event, settle Jobs that have failed and start what waits."""
    if event.type == DATASET_LANDED:
        _open_run(event, platform)
    sweep(event, platform)
    return None


def sweep(event: Event, platform: Platform) -> None:
    """Bring the runs without an outcome one step on: an outcome for a failed Job, and for each model a Job for the oldest that waits."""
    jobs = {job["metadata"]["name"]: job for job in platform.cluster.list("Job", {"app.kubernetes.io/managed-by": "knoll"})}
    runs = list(_open_runs(platform))

    def go_on(model: str) -> None:
        waiting = [run for run in runs if run.model == model and not _settled(run, jobs.get(run.id), platform, event)]
        run = next_run(waiting, jobs)
        if run and _is_wanted(run, platform):
            with suppress(AlreadyExists):
                platform.cluster.create(job_document(run, platform.settings))

    act_on_each(sorted({run.model for run in runs}), go_on)


def next_run(waiting: Sequence[Run], jobs: dict[str, Document]) -> Run | None:
    """Which run of one model is to get its Job: none while a Job of it is live, else the oldest without one."""
    if any(run.id in jobs and is_live(jobs[run.id]) for run in waiting):
        return None
    without_job = [run for run in waiting if run.id not in jobs]
    return min(without_job, key=lambda run: (run.created_at, run.id), default=None)


def _open_run(event: Event, platform: Platform) -> None:
    name, digest, cause = _claims(event)
    try:
        model = parse_model(platform.cluster.get("Model", name))
    except NotFound:
        return  # deleted since: nothing wants to be trained
    dataset = load_dataset(platform.store.get(dataset_uri(platform.settings.model_root, name, digest)))
    if dataset.digest != digest or dataset.model != name:
        raise Rejected(f"event {event.id} names dataset {digest[:12]} of {name}, and its snapshot is of another")
    with suppress(AlreadyExists):
        run = _run(model, digest, event, cause, platform)
        platform.store.put(run_uri(platform.settings.model_root, run.id), dump(run), if_absent=True, content_type="application/json")


def _run(model: Model, digest: str, event: Event, cause: dict[str, Any], platform: Platform) -> Run:
    return Run(
        id=run_id(model.name, digest, model.config_digest),
        model=model.name,
        family=model.family,
        dataset_digest=digest,
        dataset_uri=dataset_uri(platform.settings.model_root, model.name, digest),
        config=dict(model.training.config),
        created_at=platform.clock.now().isoformat(),
        resources=dict(model.training.resources),
        deadline=model.training.deadline,
        retries=model.training.retries,
        cause={**{key: str(value) for key, value in cause.items()}, "correlationid": event.extensions.get("correlationid", event.id)},
    )


def _claims(event: Event) -> tuple[str, str, dict[str, Any]]:
    data = event.data if isinstance(event.data, dict) else {}
    name, digest, cause = data.get("model"), data.get("datasetDigest"), data.get("cause") or {}
    if not isinstance(name, str) or not isinstance(digest, str) or not isinstance(cause, dict):
        raise InvalidEvent(f"event {event.id} of type {event.type} names no model and dataset")
    return name, digest, cause


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


def _settled(run: Run, job: Document | None, platform: Platform, cause: Event) -> bool:
    """Write the outcome of a run whose Job ended without one: the trainer was killed, or never started."""
    reason = job_failure(job) if job else ""
    if not reason:
        return job is not None and not is_live(job)
    outcome = Outcome("failed", platform.clock.now().isoformat(), reason=reason)
    try:
        platform.store.put(
            outcome_uri(platform.settings.model_root, run.id), dump(outcome), if_absent=True, content_type="application/json"
        )
    except AlreadyExists:
        return True
    data = {"runId": run.id, "model": run.model, **{key: value for key, value in asdict(outcome).items() if key in ("state", "reason")}}
    platform.events.publish(
        new_event(TRAINING_FAILED, source=platform.settings.source, time=platform.clock.now(), subject=run.model, data=data, cause=cause)
    )
    return True


def _is_wanted(run: Run, platform: Platform) -> bool:
    """Whether the Model is still declared: the runs of a deleted one wait until it comes back."""
    try:
        parse_model(platform.cluster.get("Model", run.model))
    except (NotFound, InvalidModel):
        return False
    return True
