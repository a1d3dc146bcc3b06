"""Records of runs that have ended, and that nobody needs any more: entries of the inbox, and progress.

Whether a run has ended is what its outcome says, and no clock. Everything else that a run leaves is kept: the
run record and the outcome keep the same data from being trained twice, the claim keeps the number from being
given twice, and all are small.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from knoll.errors import Rejected
from knoll.kube.jobs import is_live
from knoll.kube.labels import MANAGED
from knoll.names import model_of_run
from knoll.ports import ObjectInfo, Platform
from knoll.records.inbox import inbox
from knoll.records.outcome import outcomes_uri
from knoll.records.progress import progress_of_all_uri
from knoll.retention.decide import DAY

__all__ = ["Leftover", "Runs", "find_leftovers", "read_leftovers", "read_runs"]


@dataclass(frozen=True)
class Leftover:
    """A superfluous record."""

    kind: Literal["inbox", "progress"]
    uri: str
    model: str
    run: str
    size: int
    modified: datetime
    reason: str


@dataclass(frozen=True)
class Runs:
    """When each run got its outcome, by the store's clock, and which runs are in the inbox."""

    ended: Mapping[str, datetime]
    inbox: Mapping[str, ObjectInfo]

    def is_settled(self, run: str) -> bool:
        """Whether nothing is left to do for the run."""
        return run in self.ended and run not in self.inbox


def read_runs(platform: Platform, models: Collection[str] = ()) -> Runs:
    """The runs of these models, or of all."""
    root = platform.settings.model_root
    ended = _by_run(platform, outcomes_uri(root), models)
    return Runs({run: one.modified for run, one in ended.items()}, _by_run(platform, inbox(root), models))


def read_leftovers(platform: Platform, runs: Runs, models: Collection[str] = ()) -> list[Leftover]:
    """What is superfluous now of these models, or of all."""
    progress = _by_run(platform, progress_of_all_uri(platform.settings.model_root), models)
    live = {str(job["metadata"]["name"]) for job in platform.cluster.list("Job", MANAGED) if is_live(job)}
    return find_leftovers(runs, progress, live, platform.clock.now())


def find_leftovers(
    runs: Runs, progress: Mapping[str, ObjectInfo], live: Collection[str], now: datetime
) -> list[Leftover]:
    """The same of values; `live` are the names of live Jobs. Pure."""

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


def _leftover(kind: Literal["inbox", "progress"], run: str, one: ObjectInfo, reason: str) -> Leftover:
    return Leftover(kind, one.uri, model_of_run(run), run, one.size, one.modified, reason)


def _by_run(platform: Platform, place: str, models: Collection[str]) -> dict[str, ObjectInfo]:
    """The records at a place by their runs; a model's name may be how another one's begins."""
    listings = [platform.store.list(f"{place}{model}-") for model in models] or [platform.store.list(place)]
    found = [(one.uri.removeprefix(place).partition(".")[0], one) for listing in listings for one in listing]
    return {run: one for run, one in found if _is_run_of(run, models)}


def _is_run_of(run: str, models: Iterable[str]) -> bool:
    try:
        return model_of_run(run) in models or not models
    except Rejected:
        return False
