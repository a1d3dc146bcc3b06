"""The train function: exactly one Job for each run that ingest has opened.

A run has one record, because it is put only if there is none. It has one Job, because the Job's name is the
run id. The record outlives the Job. The inbox holds the runs that are not settled. Train lists nothing else,
so it does not matter how many runs there have been. An entry leaves the inbox when its run has an outcome and
no live Job.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from knoll.errors import NewerSchema, Rejected
from knoll.events import DATASET_LANDED, Event, reading, run_asked_for
from knoll.events.http import event_from_http
from knoll.kube.jobs import is_live
from knoll.kube.labels import MANAGED
from knoll.models import readable_models
from knoll.names import RUN_ID, model_of_run
from knoll.ports import Platform
from knoll.recent import recent_models
from knoll.records.outcome import find_outcome, has_outcome
from knoll.records.run import Run, find_run
from knoll.records.stamp import is_stamped
from knoll.train.entries import list_entries
from knoll.train.single_flight import SingleFlight
from knoll.train.starting import delete_surplus, start_job
from knoll.train.sweeping import sweep_inbox
from knoll.train.unasked import is_what_landed, why_undeclared
from knoll.train.waiting import note_obstacle

__all__ = ["handle", "receive", "sweep"]


def handle(event: Event, platform: Platform) -> Event | None:
    """Start the run of a landed dataset, or record why a Pod waits. Sweep on any other event, unless it says
    that a Job is live: that frees no turn. If a sweep meets a record of another run that only a newer knoll
    understands, this event is done all the same."""
    try:
        if event.type == DATASET_LANDED:
            _start_landed(run_asked_for(event), event, platform)
        elif event.extensions.get("kind") == "Pod":
            note_obstacle(event, platform)
        elif not _is_of_live_job(event):
            sweep(event, platform)
    except NewerSchema:
        _raise_if_newer(_run_of(event), platform)
    return None


def receive(headers: Mapping[str, str], body: bytes, platform: Platform) -> Event | None:
    """Handle the event in one POST. Raises InvalidEvent if the body is no event."""
    return handle(event_from_http(headers, body), platform)


def sweep(event: Event, platform: Platform) -> None:
    """Settle the runs that have ended, then create Jobs for the runs whose turn it is."""
    flight = platform.caches.of(SingleFlight)
    flight.share(flight.ticket(), lambda: sweep_inbox(event, platform))


def _start_landed(run_id: str, event: Event, platform: Platform) -> None:
    """Start a run by itself, or in a pass over the inbox if another thread has asked for something since."""
    flight = platform.caches.of(SingleFlight)
    ticket = flight.ticket()
    with flight.turn():
        if flight.is_newest(ticket) and _start_alone(run_id, event, platform):
            return
        _read_opened(run_id, event, platform)
        flight.share(ticket, lambda: sweep_inbox(event, platform))


def _start_alone(run_id: str, event: Event, platform: Platform) -> bool:
    """Start the run if it is the only open run of its model. False if only a sweep can tell what to do.

    Ingest writes the inbox entry before the event. So if two runs open at once, at least one of them sees the
    other, and sweeps.
    """
    model = model_of_run(run_id)
    with ThreadPoolExecutor(3) as others:
        listed = others.submit(list_entries, platform.bucket)
        record = others.submit(_read_opened, run_id, event, platform)
        ended = others.submit(has_outcome, run_id, platform.bucket)
        document = recent_models(platform, lambda known: model in known).get(model)
    run, entries = record.result(), listed.result()
    if run_id not in {entry.run for entry in entries}:
        return True  # the run is settled
    if document is None:
        return False  # the Model is gone
    mine = [entry.run for entry in entries if entry.model == model]
    if ended.result() or len(entries) > platform.settings.quota or mine != [run_id]:
        return False
    models = readable_models([document])
    if not models or why_undeclared(run, document, models[0]) or not is_what_landed(run, document):
        return False
    if not is_stamped(run, platform.bucket):
        return False
    start_job(run, document, event, platform)
    delete_surplus(platform.cluster.list("Job", MANAGED), platform)
    return True


def _read_opened(run_id: str, event: Event, platform: Platform) -> Run:
    """The record of the run. Raises Rejected if there is none: ingest writes it before the event."""
    run = find_run(run_id, platform.bucket)
    if run is None:
        raise Rejected(
            f"event {event.id} names run {run_id}, which has no record", fix="knoll runs lists all"
        )
    return run


def _run_of(event: Event) -> str:
    """The run that the event names, or ""."""
    data = event.data if isinstance(event.data, dict) else {}
    with reading(f"the run in event {event.id}"):
        is_job = "kind" in event.extensions
        name = str((data.get("metadata") or {}).get("name") if is_job else data.get("runId"))
    return name if RUN_ID.fullmatch(name) else ""


def _raise_if_newer(run_id: str, platform: Platform) -> None:
    """Raise NewerSchema if only a newer knoll understands the outcome or the record of the run."""
    if run_id:
        with suppress(Rejected):
            find_outcome(run_id, platform.bucket)
            find_run(run_id, platform.bucket)


def _is_of_live_job(event: Event) -> bool:
    with reading(f"the Job in event {event.id}"):
        return event.extensions.get("kind") == "Job" and isinstance(event.data, dict) and is_live(event.data)
