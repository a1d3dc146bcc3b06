"""From a landed dataset to the run that it asks for, in an order in which nothing is lost wherever the
function is killed.

The snapshot comes first, because the run reads it. Then the run's entry in the inbox, which is the whole
record: whoever finds it can go on from there. Last the record itself, on condition that there is none: it
outlives everything, so the same data has no second run.
"""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from itertools import count

from knoll.errors import AlreadyExists, NotFound
from knoll.events import DATASET_LANDED, Event, new_event
from knoll.models import Model
from knoll.names import run_id
from knoll.ports import ObjectStore, Platform
from knoll.records.dataset import Dataset, dataset_uri
from knoll.records.inbox import inbox_uri
from knoll.records.outcome import load_outcome, outcome_uri, superseded_prefix
from knoll.records.run import Run, run_uri

__all__ = ["asked_runs", "open_run", "record_run"]


def asked_runs(model: Model, datasets: Iterable[Dataset], platform: Platform) -> dict[Dataset, str]:
    """Id of the run that each dataset asks for, with the config that the Model has now.

    Data that was superseded before it was trained, and has landed again, asks for another run than before.
    """
    place = superseded_prefix(platform.settings.model_root, model.name)
    hints = {one.uri.rpartition("/")[2].removesuffix(".json") for one in platform.store.list(place)}
    return {dataset: _asked_run(model, dataset, hints, platform) for dataset in datasets}


def _asked_run(model: Model, dataset: Dataset, hints: set[str], platform: Platform) -> str:
    for again in count():
        run = run_id(model.name, dataset.digest, model.config_digest, again)
        if run not in hints or not _is_superseded(run, platform):
            break
    return run


def _is_superseded(run: str, platform: Platform) -> bool:
    """Whether the hint came true: who wrote it may have been killed, and the run have ended otherwise."""
    try:
        return load_outcome(platform.store.get(outcome_uri(platform.settings.model_root, run))).superseded
    except NotFound:
        return False


def open_run(id: str, model: Model, dataset: Dataset, platform: Platform, cause: Event) -> Event | None:
    """Open the run with that id on the dataset; the event that tells of it, or None when somebody else was
    first and tells."""
    root = platform.settings.model_root
    run = _run(id, model, dataset, platform.clock.now(), root, cause)
    return _landed(dataset, run, platform, cause) if record_run(run, dataset, platform.store, root) else None


def record_run(run: Run, dataset: Dataset, store: ObjectStore, root: str) -> bool:
    """Write snapshot, inbox entry and record; whether the record is ours."""
    with suppress(AlreadyExists):
        store.put(run.dataset_uri, dataset.encode(), if_absent=True, content_type="application/json")
    with suppress(AlreadyExists):
        store.put(
            inbox_uri(root, run.id, run.data_at),
            run.encode(),
            if_absent=True,
            content_type="application/json",
        )
    try:
        store.put(run_uri(root, run.id), run.encode(), if_absent=True, content_type="application/json")
    except AlreadyExists:
        return False
    return True


def _run(id: str, model: Model, dataset: Dataset, now: datetime, root: str, cause: Event) -> Run:
    return Run(
        id=id,
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
        data_at=dataset.data_at or now.isoformat(),
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
        DATASET_LANDED,
        source=platform.settings.source,
        time=platform.clock.now(),
        subject=dataset.model,
        data=data,
        cause=cause,
    )


def _told(cause: Event) -> dict[str, str]:
    return {"id": cause.id, "type": cause.type, "subject": cause.subject, "time": cause.time}
