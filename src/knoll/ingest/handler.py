"""The ingest function: an object has been created, or a tick has passed; is a dataset complete?

When one is, its run is opened unless it exists already, and `dataset.landed` goes out. A lost event costs
nothing but time: `sweep` asks the same question of every Model.
"""

from collections.abc import Mapping
from typing import Any

from knoll.dead_letters.handler import keep_body
from knoll.errors import Conflict, InvalidEvent, NotFound, act_on_each
from knoll.events import OBJECT_CREATED, Event
from knoll.events.http import event_from_http, is_event
from knoll.ingest.landed import Waiting, may_land
from knoll.ingest.look import dataset_status, look
from knoll.ingest.notifications import is_notification, publish_notification, publish_notification_event
from knoll.ingest.opening import asked_runs, open_run
from knoll.ingest.webhook import came_through_broker
from knoll.models import readable_models
from knoll.ports import Document, Platform
from knoll.recent import recent_models, remember_model
from knoll.records.dataset import Dataset
from knoll.records.run import run_uri, runs_uri

__all__ = ["handle", "receive", "sweep", "take"]


def handle(event: Event, platform: Platform) -> Event | None:
    """Look at the dataset that a created object belongs to. Raises InvalidEvent when the event names no
    object.

    What a store or cloud says in its own words is published in the one form, and comes back.
    """
    if is_notification(event):
        publish_notification_event(event, platform)
        return None
    if not event.type.startswith(OBJECT_CREATED):
        return None
    uri = _created_uri(event)
    landed = []
    known = recent_models(
        platform, lambda known: any(may_land(model, uri) for model in readable_models(known.values()))
    )
    for document in known.values():
        landed += _look(document, platform, event, uri)
    return _publish_but_last(landed, platform)


def receive(headers: Mapping[str, str], body: bytes, platform: Platform) -> Event | None:
    """Take one POST. If it is refused and no broker brought it, it is kept as a dead letter here."""
    try:
        return take(headers, body, platform)
    except InvalidEvent as error:
        if not came_through_broker(headers, body):
            keep_body(headers, body, str(error), platform, meant_for="ingest")
        raise


def take(headers: Mapping[str, str], body: bytes, platform: Platform) -> Event | None:
    """Handle the event, or publish what the notification tells of. Raises InvalidEvent when it is neither."""
    if is_event(headers):
        return handle(event_from_http(headers, body), platform)
    publish_notification(body, platform)
    return None


def sweep(event: Event, platform: Platform) -> None:
    """Look at the dataset of every Model, as that is when its turn comes: events are looked at meanwhile."""

    def see(name: str) -> None:
        document = recent_models(platform).get(name)
        for landed in _look(document, platform, event) if document else []:
            platform.events.publish(landed)

    act_on_each(recent_models(platform), see)


def _look(document: Document, platform: Platform, cause: Event, uri: str = "") -> list[Event]:
    """What has landed by the object at `uri`, or by any, and is ours to open. A Model that has changed since
    it was read is read again."""
    model = next(iter(readable_models([document])), None)
    if model is None or (uri and not may_land(model, uri)):
        return []
    before = (document.get("status") or {}).get("dataset") or {}
    only = uri if model.dataset.landed.when == "object" else ""
    verdict = look(model, platform, only, before=before)
    new = (
        {}
        if isinstance(verdict, Waiting)
        else _without_record(asked_runs(model, verdict.datasets, platform), model.name, platform)
    )
    try:
        if not _shown(document, dataset_status(model, verdict, before, only), platform, is_needed=bool(new)):
            return _look(
                remember_model(platform.cluster.get("Model", model.name), platform), platform, cause, uri
            )
    except NotFound:
        return []
    return [
        event for dataset, run in new.items() if (event := open_run(run, model, dataset, platform, cause))
    ]


def _without_record(runs: Mapping[Dataset, str], model: str, platform: Platform) -> dict[Dataset, str]:
    """The runs that nobody has opened yet. Of one, its own record is looked for: a model has many."""
    root = platform.settings.model_root
    (only,) = runs.values() if len(runs) == 1 else ("",)
    known = {
        one.uri for one in platform.store.list(run_uri(root, only) if only else f"{runs_uri(root)}{model}-")
    }
    return {dataset: run for dataset, run in runs.items() if run_uri(root, run) not in known}


def _shown(document: Document, verdict: Mapping[str, Any], platform: Platform, *, is_needed: bool) -> bool:
    """Keep what the look has found in the Model's status; whether the Model is as it was read. Raises
    NotFound when it is gone.

    If it `is_needed` to know, the same is written again: a run with a config of the past is one too many.
    """
    status = document.get("status") or {}
    try:
        if is_needed or verdict != status.get("dataset"):
            remember_model(
                platform.cluster.update({**document, "status": {**status, "dataset": verdict}}, status=True),
                platform,
            )
    except Conflict:
        return False
    return True


def _created_uri(event: Event) -> str:
    try:
        record = event.data["s3"]
        return f"s3://{record['bucket']['name']}/{record['object']['key']}"
    except (TypeError, KeyError) as error:
        raise InvalidEvent(f"event {event.id} of type {event.type} names no bucket and key") from error


def _publish_but_last(events: list[Event], platform: Platform) -> Event | None:
    for event in events[:-1]:
        platform.events.publish(event)
    return events[-1] if events else None
