"""From an event to the run that it asks for: the record is put on condition that there is none, so that each dataset has one run.

The train function opens runs this way, and so does a trainer that a JobSink has started with the event in a file.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from knoll.errors import AlreadyExists, InvalidEvent, NotFound, Rejected
from knoll.events import DATASET_LANDED, Event
from knoll.models import Model, parse_model
from knoll.names import dataset_uri, run_id, run_uri
from knoll.ports import Document, Platform
from knoll.runs import Run, dump, load_dataset

__all__ = ["Opened", "model_of", "open_run", "run_asked_for"]


@dataclass(frozen=True)
class Opened:
    """The run of a landed dataset and the Model that asks for it; unless it `is_new`, the record that is stored already counts, not this
    one."""

    run: Run
    model: Document
    is_new: bool


def open_run(event: Event, platform: Platform) -> Opened | None:
    """Write the record of the run that a landed dataset asks for; None when its Model has been deleted since.

    Raises Rejected when the event names a snapshot of other data, InvalidEvent when it names none.
    """
    name, digest, cause = _claims(event)
    with ThreadPoolExecutor(1) as other:
        snapshot = other.submit(platform.store.get, dataset_uri(platform.settings.model_root, name, digest))
        try:
            document = platform.cluster.get("Model", name)
        except NotFound:
            return None  # nothing wants to be trained
    dataset = load_dataset(snapshot.result())
    if dataset.digest != digest or dataset.model != name:
        raise Rejected(f"event {event.id} names dataset {digest[:12]} of {name}, and its snapshot is of another")
    run = _run(parse_model(document), digest, event, cause, platform)
    try:
        platform.store.put(run_uri(platform.settings.model_root, run.id), dump(run), if_absent=True, content_type="application/json")
    except AlreadyExists:
        return Opened(run, document, False)
    return Opened(run, document, True)


def model_of(event: Event) -> str:
    """Name of the Model whose data has landed. Raises InvalidEvent when the event names none."""
    return _claims(event)[0]


def run_asked_for(event: Event, platform: Platform) -> str:
    """Id of the run that a process which got this very event is to train. Raises Rejected when the event asks for none."""
    if event.type == DATASET_LANDED:
        opened = open_run(event, platform)
        if opened is None:
            raise Rejected(f"event {event.id}: its Model is not there", fix="knoll apply -f FILE, then send the event again")
        return opened.run.id
    asked = event.data.get("runId") if isinstance(event.data, Mapping) else None
    if not isinstance(asked, str) or not asked:
        raise InvalidEvent(f"event {event.id} of type {event.type} asks for no run", fix=f"send {DATASET_LANDED}, or data with a runId")
    return asked


def _run(model: Model, digest: str, event: Event, cause: Mapping[str, Any], platform: Platform) -> Run:
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
        nodes=model.training.nodes,
        processes_per_node=model.training.processes_per_node,
    )


def _claims(event: Event) -> tuple[str, str, Mapping[str, Any]]:
    data = event.data if isinstance(event.data, dict) else {}
    name, digest, cause = data.get("model"), data.get("datasetDigest"), data.get("cause") or {}
    if not isinstance(name, str) or not isinstance(digest, str) or not isinstance(cause, dict):
        raise InvalidEvent(f"event {event.id} of type {event.type} names no model and dataset")
    return name, digest, cause
