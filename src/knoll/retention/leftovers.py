"""Superfluous records: of runs that have ended, entries of the inbox, progress, checkpoints and old logs;
recorded requests that are too old, or that no Model asks for.

The outcome says that a run has ended; no clock does. Other records stay. The run record and the outcome keep
the same data from being trained twice, and the claim keeps the number from being given twice. All are small.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from knoll.errors import Rejected
from knoll.kube.jobs import is_live
from knoll.kube.labels import MANAGED
from knoll.models import readable_models
from knoll.names import model_of_run
from knoll.ports import Bucket, ObjectInfo, Platform
from knoll.records.checkpoint import list_checkpoints, remove_checkpoints
from knoll.records.inbox import list_inbox, remove_entry
from knoll.records.outcome import list_outcomes, without_strays
from knoll.records.progress import list_progress, remove_progress
from knoll.records.recorded import drop_recorded, list_recorded
from knoll.records.run_log import LONGEST, list_run_logs, remove_run_logs
from knoll.retention.decide import DAY

__all__ = ["Leftover", "Runs", "find_leftovers", "read_leftovers", "read_runs", "remove_leftover"]

Kind = Literal["inbox", "progress", "checkpoint", "log", "recorded"]


@dataclass(frozen=True)
class Leftover:
    """Superfluous records: `objects` is how many, and `uri` is that of the first. `name` is their run, or the
    id of a recorded request."""

    kind: Kind
    uri: str
    model: str
    name: str
    size: int
    modified: datetime
    reason: str
    objects: int = 1


@dataclass(frozen=True)
class Runs:
    """When each run got its outcome, by the store's clock, and the inbox entries by their runs."""

    ended: Mapping[str, datetime]
    inbox: Mapping[str, ObjectInfo]

    def is_settled(self, run: str) -> bool:
        """Whether nothing is left to do for the run."""
        return run in self.ended and run not in self.inbox


def read_runs(platform: Platform, models: Collection[str] = ()) -> Runs:
    """The runs of these models, or of all. A stray in the place of an outcome ends no run that waits."""
    bucket = platform.bucket
    ended = _by_run(list_outcomes, bucket, models)
    inbox = _of_models({one.run: one.info for one in list_inbox(bucket)}, models)
    waiting = ended.keys() & inbox.keys()
    goes_on = waiting - without_strays(waiting, bucket)
    return Runs({run: one.modified for run, one in ended.items() if run not in goes_on}, inbox)


def read_leftovers(platform: Platform, runs: Runs, models: Collection[str] = ()) -> list[Leftover]:
    """The records of these models, or of all, that may go now."""
    bucket, now = platform.bucket, platform.clock.now()
    progress = _by_run(list_progress, bucket, models)
    live = {str(job["metadata"]["name"]) for job in platform.cluster.list("Job", MANAGED) if is_live(job)}
    ended = find_leftovers(runs, progress, live, now)
    states = _of_ended("checkpoint", list_checkpoints(bucket), runs, live, models)
    logs = _of_ended("log", list_run_logs(bucket), runs, live, models)
    old = (one for one in logs if now - runs.ended[one.name] > timedelta(seconds=LONGEST))
    return [*ended, *states, *old, *_unwanted_requests(platform, models)]


def remove_leftover(one: Leftover, bucket: Bucket) -> None:
    """Remove the record."""
    match one.kind:
        case "inbox":
            remove_entry(one.uri, bucket)
        case "progress":
            remove_progress(one.name, bucket)
        case "checkpoint":
            remove_checkpoints(one.name, bucket)
        case "log":
            remove_run_logs(one.name, bucket)
        case "recorded":
            drop_recorded(one.uri, bucket)


def find_leftovers(
    runs: Runs, progress: Mapping[str, ObjectInfo], live: Collection[str], now: datetime
) -> list[Leftover]:
    """The same, for records that were read already; `live` are the names of live Jobs. Pure."""

    def old(one: datetime) -> bool:
        return now - one > DAY

    entries = [
        (run, one)
        for run, one in runs.inbox.items()
        if run in runs.ended and run not in live and old(one.modified)
    ]
    reports = [
        (run, one)
        for run, one in progress.items()
        if run in runs.ended and run not in live and old(runs.ended[run])
    ]
    return [
        *(_leftover("inbox", run, one, "inbox entry of a run that has an outcome") for run, one in entries),
        *(
            _leftover("progress", run, one, "progress of a run that ended more than a day ago")
            for run, one in reports
        ),
    ]


def _of_ended(
    kind: Literal["checkpoint", "log"],
    found: Mapping[str, Sequence[ObjectInfo]],
    runs: Runs,
    live: Collection[str],
    models: Collection[str],
) -> Iterator[Leftover]:
    """The objects of each run that has ended, as one leftover. A trainer that still lives may write more."""
    reason = f"{kind}s of a run that has an outcome"
    for run, files in found.items():
        if run in runs.ended and run not in live and _is_run_of(run, models):
            size, newest = sum(one.size for one in files), max(one.modified for one in files)
            yield Leftover(kind, files[0].uri, model_of_run(run), run, size, newest, reason, len(files))


def _leftover(kind: Kind, run: str, one: ObjectInfo, reason: str) -> Leftover:
    return Leftover(kind, one.uri, model_of_run(run), run, one.size, one.modified, reason)


def _unwanted_requests(platform: Platform, models: Collection[str]) -> Iterator[Leftover]:
    """The recorded requests that may go. If a Model cannot be read, its requests stay."""
    found = [one for one in list_recorded(platform.bucket) if one.model in models or not models]
    documents, now = platform.cluster.list("Model") if found else [], platform.clock.now().timestamp()
    wanting = {one["metadata"]["name"] for one in documents}
    wanting -= {one.name for one in readable_models(documents) if one.rollout.recorded is None}
    for one in found:
        is_unasked, info = one.model not in wanting, one.info
        if is_unasked or one.is_old(now):
            reason = "request that no Model asks for" if is_unasked else "request of more than 30 days ago"
            facts = one.model, one.id, info.size, info.modified
            yield Leftover("recorded", info.uri, *facts, f"recorded {reason}")


def _by_run(
    listing: Callable[[str, Bucket], Iterable[ObjectInfo]], bucket: Bucket, models: Collection[str]
) -> Mapping[str, ObjectInfo]:
    """The records that a listing shows, by their runs."""
    prefixes = [f"{model}-" for model in models] or [""]
    listed = [one for prefix in prefixes for one in listing(prefix, bucket)]
    return _of_models({one.uri.rpartition("/")[2].removesuffix(".json"): one for one in listed}, models)


def _of_models(found: Mapping[str, ObjectInfo], models: Collection[str]) -> Mapping[str, ObjectInfo]:
    """The records of these models, or of all. A listing may show more: the name of one model may begin with
    that of another."""
    return {run: one for run, one in found.items() if _is_run_of(run, models)}


def _is_run_of(run: str, models: Collection[str]) -> bool:
    try:
        return model_of_run(run) in models or not models
    except Rejected:
        return False
