"""The ingest function: after a created object or a tick it asks whether a dataset is complete.

If a dataset is complete and has no run, its run is opened and `dataset.landed` is published. At each tick
`sweep` asks this of every Model: an event may be lost, and quiet data waits for time to pass, which no event
tells.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from knoll.dead_letters.handler import keep_body
from knoll.errors import Conflict, InvalidEvent, NotFound, act_on_each
from knoll.events import OBJECT_CREATED, ROLLOUT_CONTINUED, Event, new_event
from knoll.events.http import event_from_http, is_event
from knoll.ingest.checksums import end_of_reading
from knoll.ingest.landed import Waiting, may_land
from knoll.ingest.look import dataset_status, look_and_learn
from knoll.ingest.notifications import is_notification, publish_notification, publish_notification_event
from knoll.ingest.opening import note_foretold_runs, note_late_cause, open_run
from knoll.ingest.webhook import came_through_broker
from knoll.models import Model, readable_models
from knoll.names import object_uri
from knoll.ports import Document, Platform
from knoll.recent import recent_models, remember_model

__all__ = ["handle", "receive", "sweep", "take"]


def handle(event: Event, platform: Platform) -> Event | None:
    """Look at the dataset that a created object belongs to. Raises InvalidEvent if the event names no object.

    A notification of a store or cloud is published again, as events in the form of `knoll.ingest.created`.
    """
    if is_notification(event):
        publish_notification_event(event, platform)
        return None
    if not event.type.startswith(OBJECT_CREATED):
        return None
    uri = _created_uri(event)
    landed, until = [], end_of_reading(platform)
    known = recent_models(
        platform, lambda known: any(may_land(model, uri) for model in readable_models(known.values()))
    )
    for document in known.values():
        landed += _land(document, platform, event, until, uri)
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
    """Look at the dataset of every Model. Events go on meanwhile, so each Model is taken as it is at its
    turn."""
    until = end_of_reading(platform)

    def publish_landed(name: str) -> None:
        document = recent_models(platform).get(name)
        for landed in _land(document, platform, event, until) if document else []:
            platform.events.publish(landed)

    act_on_each(recent_models(platform), publish_landed)


def _land(
    document: Document, platform: Platform, cause: Event, until: datetime, uri: str = ""
) -> list[Event]:
    """Look at a Model's dataset, write its status, open the runs of what landed, and return their events.

    With `uri`, only what that object completes. Objects are read until that time. If the Model has changed
    since it was read, it is read again.
    """
    model = next(iter(readable_models([document])), None)
    if model is None or (uri and not may_land(model, uri)):
        return []
    before = (document.get("status") or {}).get("dataset") or {}
    only = uri if model.dataset.landed.when == "object" else ""
    verdict = look_and_learn(model, platform, only, before=before, until=until)
    landed = () if isinstance(verdict, Waiting) else verdict.datasets
    asked, new = note_foretold_runs(model, landed, platform)
    status = dataset_status(model, verdict, before, only, next(iter(asked.values()), ""))
    try:
        if not _show_verdict(document, status, platform, must_write=bool(new)):
            document = remember_model(platform.cluster.get("Model", model.name), platform)
            return _land(document, platform, cause, until, uri)
    except NotFound:
        return []
    opened = [open_run(run, document, dataset, platform, cause) for dataset, run in new.items()]
    for run in asked.values() if uri and not any(opened) else ():
        note_late_cause(run, cause, platform.bucket)
    if not new and status.get("run") != before.get("run"):
        opened = [_returned(model, platform, cause)]
    return [event for event in opened if event]


def _returned(model: Model, platform: Platform, cause: Event) -> Event:
    """Wakes rollout: the data, or the config, is again one that has a run, and so perhaps a version."""
    source, now = platform.settings.source, platform.clock.now()
    data = {"model": model.name}
    return new_event(ROLLOUT_CONTINUED, source=source, time=now, subject=model.name, data=data, cause=cause)


def _show_verdict(
    document: Document, verdict: Mapping[str, Any], platform: Platform, *, must_write: bool
) -> bool:
    """Write the verdict to the Model's status. False if the Model has changed since it was read. Raises
    NotFound if it is gone.

    With `must_write`, an unchanged verdict is written, too: the write finds out whether the config is still
    the one that was read.
    """
    status = document.get("status") or {}
    if verdict == status.get("dataset") and not must_write:
        return True
    shown = {**document, "status": {**status, "dataset": verdict}}
    try:
        remember_model(platform.cluster.update(shown, status=True), platform)
    except Conflict:
        return False
    return True


def _created_uri(event: Event) -> str:
    try:
        record = event.data["s3"]
        return object_uri(record["bucket"]["name"], record["object"]["key"])
    except (TypeError, KeyError) as error:
        raise InvalidEvent(f"event {event.id} of type {event.type} names no bucket and key") from error


def _publish_but_last(events: list[Event], platform: Platform) -> Event | None:
    for event in events[:-1]:
        platform.events.publish(event)
    return events[-1] if events else None
