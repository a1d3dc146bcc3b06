"""From a landed dataset to its run, in an order in which a kill on any line loses nothing.

The snapshot comes first, because the run reads it. Then comes the run's entry in the inbox, which is the
whole record, so that the train function can go on from there. Last comes the record itself, if there is none.
It outlives everything, so the same data gets no second run.

So if a record has neither an entry nor an outcome beside it, no function has opened its run: a stranger wrote
the record. The run is opened all the same, and train, which checks all entries, ends it if it is spoilt.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from itertools import count

from knoll.errors import NewerSchema, Rejected
from knoll.events import DATASET_LANDED, OBJECT_CREATED, Event, new_event
from knoll.models import Model, parse_model
from knoll.names import run_id
from knoll.ports import Bucket, Document, Platform
from knoll.quantities import memory_of
from knoll.records.dataset import Dataset, dataset_place, write_dataset
from knoll.records.inbox import list_inbox, write_entry
from knoll.records.late_cause import LateCause, write_late_cause
from knoll.records.outcome import (
    ended_runs,
    find_outcome,
    is_signed,
    list_superseded,
    note_foretold,
    without_strays,
)
from knoll.records.run import Run, find_run, is_opened, list_runs, write_run
from knoll.records.stamp import stamped

__all__ = ["asked_runs", "note_foretold_runs", "note_late_cause", "open_run", "record_run"]


_MOST_READ = 100  # outcomes in one look; with the rule `object` a Model has as many runs as objects


class _Opened(set[str]):
    """The runs that this process has seen opened: each stays so."""


def asked_runs(model: Model, datasets: Iterable[Dataset], platform: Platform) -> dict[Dataset, str]:
    """Id of the run that each dataset asks for, with the config that the Model has now.

    If data is replaced before it was trained and lands again later, it gets a new run; so does data whose run
    lacked memory, if the Model asks for more.
    """
    hints = list_superseded(model.name, platform.bucket)
    return {dataset: _asked_run(model, dataset, hints, platform) for dataset in datasets}


def _asked_run(model: Model, dataset: Dataset, hints: set[str], platform: Platform) -> str:
    for again in count():
        run = run_id(model.name, dataset.digest, model.config_digest, again)
        if run not in hints or not _is_spent(run, model, platform):
            break
    return run


def _is_spent(run: str, model: Model, platform: Platform) -> bool:
    """Whether the hint is true: its writer may have been killed, and the run may have ended in another way. A
    run that was never opened has not ended: a stranger wrote its outcome. An unsigned outcome may be a
    stranger's, too."""
    outcome = find_outcome(run, platform.bucket)
    if outcome is None:
        return False
    if outcome.superseded or 0 < outcome.lacked_memory < memory_of(model.training.resources):
        return True
    return not is_signed(outcome, platform.bucket) or not is_opened(run, platform.bucket)


def note_foretold_runs(
    model: Model, datasets: Iterable[Dataset], platform: Platform
) -> tuple[Mapping[Dataset, str], Mapping[Dataset, str]]:
    """Write a hint for each run that was never opened and whose outcome a stranger wrote: its data asks for
    the next run. Return the run that each dataset asks for then, and those that are still to be opened."""
    while True:
        asked = asked_runs(model, datasets, platform)
        new = _unopened(model.name, asked, platform)
        if not [run for run in new.values() if note_foretold(run, platform.bucket)]:
            return asked, new


def _unopened(model: str, runs: Mapping[Dataset, str], platform: Platform) -> dict[Dataset, str]:
    """Those of the datasets, each with the id of the run that it asks for, whose run is still to be opened.

    For one dataset, only its own records are listed, because a model has many.
    """
    if not runs:
        return {}
    (only,) = runs.values() if len(runs) == 1 else (f"{model}-",)
    there = {run for run, _ in list_runs(only, platform.bucket)}
    known = platform.caches.of(_Opened)
    if there.intersection(runs.values()) - known:
        # in this order: an entry is removed when its run has an outcome
        known |= there.intersection({one.run for one in list_inbox(platform.bucket, only)})
        ended = sorted(there.intersection(runs.values(), ended_runs(only, platform.bucket)) - known)
        known |= {*ended[_MOST_READ:], *without_strays(ended[:_MOST_READ], platform.bucket)}
    return {dataset: run for dataset, run in runs.items() if run not in there & known}


def open_run(id: str, document: Document, dataset: Dataset, platform: Platform, cause: Event) -> Event | None:
    """Open the run with that id, which a Model asks for, and return the event that tells of it.

    None if another process opened it, which then tells of it.
    """
    run = _run(id, document, dataset, platform.clock.now(), platform.bucket, cause)
    return _landed(dataset, run, platform, cause) if record_run(run, dataset, platform.bucket) else None


def note_late_cause(id: str, cause: Event, bucket: Bucket) -> None:
    """Record which event told of the data of the run with that id, if a tick had opened the run before the
    event was handled. An event from after that tells of a later upload of the same data."""
    with suppress(NewerSchema, Rejected, TypeError, ValueError):  # a time that is none, or has no zone
        run = find_run(id, bucket)
        if run is None or run.cause.get("type", "").startswith(OBJECT_CREATED):
            return
        if datetime.fromisoformat(cause.time) <= datetime.fromisoformat(run.created_at):
            write_late_cause(LateCause(id, _with_correlation(cause)), bucket)


def record_run(run: Run, dataset: Dataset, bucket: Bucket) -> bool:
    """Write snapshot, inbox entry and record, stamped. True if this call wrote the record."""
    opened = stamped(run, bucket)
    write_dataset(dataset, bucket)
    write_entry(opened, bucket)
    return write_run(opened, bucket)


def _run(id: str, document: Document, dataset: Dataset, now: datetime, bucket: Bucket, cause: Event) -> Run:
    model, metadata = parse_model(document), document["metadata"]
    return Run(
        id=id,
        model=model.name,
        family=model.family,
        dataset_digest=dataset.digest,
        dataset_uri=dataset_place(model.name, dataset.digest, bucket),
        config=dict(model.training.config),
        created_at=now.isoformat(),
        resources=dict(model.training.resources),
        deadline=model.training.deadline,
        retries=model.training.retries,
        cause=_with_correlation(cause),
        nodes=model.training.nodes,
        processes_per_node=model.training.processes_per_node,
        data_at=dataset.data_at or now.isoformat(),
        model_uid=metadata["uid"],
        model_generation=metadata.get("generation", 0),
        prefix=dataset.prefix,
        golden_set=model.golden_set,
        checkpoint_every=model.training.checkpoint.every,
        checkpoint_keep=model.training.checkpoint.keep,
        most_bad=model.training.most_bad,
        keep=model.training.keep,
        patience=model.training.patience or 0,
        rank_timeout=model.training.rank_timeout,
        compression=model.compressed,
        card=model.card.given(),
        gate=model.gate.given() if model.gate else {},
        accelerate=model.training.accelerate.given(),
        sharding=model.training.sharding,
    )


def _landed(dataset: Dataset, run: Run, platform: Platform, cause: Event) -> Event:
    data = {
        "model": dataset.model,
        "runId": run.id,
        "datasetDigest": dataset.digest,
        "dataset": run.dataset_uri,
        "objects": len(dataset.objects),
        "bytes": sum(one.size for one in dataset.objects),
        "cause": _origin(cause),
    }
    return new_event(
        DATASET_LANDED,
        source=platform.settings.source,
        time=platform.clock.now(),
        subject=dataset.model,
        data=data,
        cause=cause,
    )


def _with_correlation(cause: Event) -> dict[str, str]:
    return {**_origin(cause), "correlationid": cause.extensions.get("correlationid", cause.id)}


def _origin(cause: Event) -> dict[str, str]:
    return {"id": cause.id, "type": cause.type, "subject": cause.subject, "time": cause.time}
