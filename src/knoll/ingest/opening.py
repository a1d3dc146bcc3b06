"""From a landed dataset to the run that it asks for, in an order in which nothing is lost wherever the function is killed.

The snapshot comes first, because the run reads it. Then the run's entry in the inbox, which is the whole record: whoever finds it can go on
from there. Last the record itself, on condition that there is none: it outlives everything, so the same data has no second run.
"""

from contextlib import suppress
from datetime import datetime

from knoll.errors import AlreadyExists
from knoll.events import DATASET_LANDED, Event, new_event
from knoll.models import Model
from knoll.names import dataset_uri, inbox_uri, run_id, run_uri
from knoll.ports import ObjectStore, Platform
from knoll.runs import Dataset, Run, dump

__all__ = ["asked_run", "open_run", "record_run"]


def asked_run(model: Model, dataset: Dataset) -> str:
    """Id of the run that the dataset asks for, with the config that the Model has now."""
    return run_id(model.name, dataset.digest, model.config_digest)


def open_run(model: Model, dataset: Dataset, platform: Platform, cause: Event) -> Event | None:
    """Open the run that the dataset asks for; the event that tells of it, or None when somebody else was first and tells."""
    root = platform.settings.model_root
    run = _run(model, dataset, platform.clock.now(), root, cause)
    return _landed(dataset, run, platform, cause) if record_run(run, dataset, platform.store, root) else None


def record_run(run: Run, dataset: Dataset, store: ObjectStore, root: str) -> bool:
    """Write snapshot, inbox entry and record; whether the record is ours."""
    with suppress(AlreadyExists):
        store.put(run.dataset_uri, dump(dataset), if_absent=True, content_type="application/json")
    with suppress(AlreadyExists):
        store.put(inbox_uri(root, run.id), dump(run), if_absent=True, content_type="application/json")
    try:
        store.put(run_uri(root, run.id), dump(run), if_absent=True, content_type="application/json")
    except AlreadyExists:
        return False
    return True


def _run(model: Model, dataset: Dataset, now: datetime, root: str, cause: Event) -> Run:
    return Run(
        id=asked_run(model, dataset),
        model=model.name,
        family=model.family,
        dataset_digest=dataset.digest,
        dataset_uri=dataset_uri(root, model.name, dataset.digest),
        config=dict(model.training.config),
        created_at=now.isoformat(),
        resources=dict(model.training.resources),
        deadline=model.training.deadline,
        retries=model.training.retries,
        cause={**_told(cause), "correlationid": cause.extensions.get("correlationid", cause.id)},
        nodes=model.training.nodes,
        processes_per_node=model.training.processes_per_node,
    )


def _landed(dataset: Dataset, run: Run, platform: Platform, cause: Event) -> Event:
    data = {
        "model": dataset.model,
        "runId": run.id,
        "datasetDigest": dataset.digest,
        "dataset": run.dataset_uri,
        "objects": len(dataset.objects),
        "bytes": sum(one.size for one in dataset.objects),
        "cause": _told(cause),
    }
    return new_event(
        DATASET_LANDED, source=platform.settings.source, time=platform.clock.now(), subject=dataset.model, data=data, cause=cause
    )


def _told(cause: Event) -> dict[str, str]:
    return {"id": cause.id, "type": cause.type, "subject": cause.subject, "time": cause.time}
