"""The ingest function: an object has been created, or a tick has passed; is a dataset complete?

When one is, its run is opened unless it exists already, and `dataset.landed` goes out. A lost event costs nothing but time: `sweep` asks
the same question of every Model.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from knoll.errors import Conflict, InvalidEvent, InvalidModel, NotFound, act_on_each
from knoll.events import OBJECT_CREATED, Event
from knoll.ingest.landed import Waiting, may_land
from knoll.ingest.look import dataset_status, look
from knoll.ingest.notifications import is_notification, receive_event
from knoll.ingest.opening import asked_runs, open_run
from knoll.models import Model, parse_model
from knoll.names import run_uri, runs_uri
from knoll.ports import Document, Platform
from knoll.runs import Dataset

__all__ = ["handle", "sweep"]


def handle(event: Event, platform: Platform) -> Event | None:
    """Look at the dataset that a created object belongs to. Raises InvalidEvent when the event names no object.

    What a store or cloud says in its own words is published in the one form, and comes back.
    """
    if is_notification(event):
        receive_event(event, platform)
        return None
    if not event.type.startswith(OBJECT_CREATED):
        return None
    uri = _created_uri(event)
    landed = []
    for document in platform.cluster.list("Model"):
        model = _readable(document)
        if model and may_land(model, uri):
            landed += _look(document, model, platform, event, only=uri if model.dataset.landed.when == "object" else "")
    return _publish_but_last(landed, platform)


def sweep(event: Event, platform: Platform) -> None:
    """Look at the dataset of every Model."""

    def see(document: Document) -> None:
        model = _readable(document)
        for landed in _look(document, model, platform, event) if model else ():
            platform.events.publish(landed)

    act_on_each(platform.cluster.list("Model"), see)


def _look(document: Document, model: Model, platform: Platform, cause: Event, only: str = "") -> list[Event]:
    before = (document.get("status") or {}).get("dataset") or {}
    verdict = look(model, platform, only, before=before)
    _show(document, dataset_status(model, verdict, before), platform)
    if isinstance(verdict, Waiting):
        return []
    new = _without_record(asked_runs(model, verdict.datasets, platform), model.name, platform)
    return [event for dataset, run in new.items() if (event := open_run(run, model, dataset, platform, cause))]


def _without_record(runs: Mapping[Dataset, str], model: str, platform: Platform) -> dict[Dataset, str]:
    """The runs that nobody has opened yet. Of one, its own record is looked for: a model has many."""
    root = platform.settings.model_root
    (only,) = runs.values() if len(runs) == 1 else ("",)
    known = {one.uri for one in platform.store.list(run_uri(root, only) if only else f"{runs_uri(root)}{model}-")}
    return {dataset: run for dataset, run in runs.items() if run_uri(root, run) not in known}


def _show(document: Document, shown: Mapping[str, Any], platform: Platform) -> None:
    """Keep what the look has found in the Model's status; whoever loses the race lets the next tick say it."""
    status = document.get("status") or {}
    if shown != status.get("dataset"):
        with suppress(Conflict, NotFound):
            platform.cluster.update({**document, "status": {**status, "dataset": shown}}, status=True)


def _created_uri(event: Event) -> str:
    try:
        record = event.data["s3"]
        return f"s3://{record['bucket']['name']}/{record['object']['key']}"
    except (TypeError, KeyError) as error:
        raise InvalidEvent(f"event {event.id} of type {event.type} names no bucket and key") from error


def _readable(document: Document) -> Model | None:
    """The Model, or None when somebody stored a faulty one past our checks: it must not stop the others."""
    try:
        return parse_model(document)
    except InvalidModel:
        return None


def _publish_but_last(events: list[Event], platform: Platform) -> Event | None:
    for event in events[:-1]:
        platform.events.publish(event)
    return events[-1] if events else None
