"""Whose turn it is: which runs of the inbox get a Job now, and which are skipped. Pure.

A model has one live Job at a time, and all models together have as many as the quota allows. Two processes
may see different inboxes and start one Job each. The next pass sees both, and `surplus` names the one to
delete.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from knoll.errors import Rejected
from knoll.kube.jobs import is_live
from knoll.kube.labels import MODEL_LABEL, label_of
from knoll.kube.times import timestamp
from knoll.names import model_of_run
from knoll.ports import Document

__all__ = ["Concurrency", "NextRuns", "OpenRun", "plan_turns", "surplus"]

_HARDLY = timedelta(minutes=2)  # two ticks: a sweep has looked by then

Concurrency = Literal["Queue", "Replace", "Forbid"]


@dataclass(frozen=True, order=True)
class OpenRun:
    """A run that is not settled, and its objects in the inbox. Entries sort by the time of their data."""

    data_at: str
    run: str
    model: str
    uris: tuple[str, ...]


@dataclass(frozen=True)
class NextRuns:
    """What to do: runs to start, oldest first; runs that only the quota holds back; runs to end untrained,
    and why."""

    start: Sequence[OpenRun]
    blocked: Sequence[OpenRun]
    skip: Mapping[OpenRun, str]


def forbidding(
    entries: Iterable[OpenRun], jobs: Iterable[Document], policies: Mapping[str, Concurrency]
) -> set[str]:
    """The runs whose live Jobs make train skip an entry of their model, unless they have an outcome."""
    models = {entry.model for entry in entries if policies.get(entry.model) == "Forbid"}
    return {_name(job) for job in jobs if is_live(job) and _model(job) in models}


def plan_turns(
    entries: Iterable[OpenRun],
    jobs: Sequence[Document],
    policies: Mapping[str, Concurrency],
    quota: int,
    over: Set[str] = frozenset(),
) -> NextRuns:
    """The turns of all models in `policies`. Entries of other models wait, and so do those with an ended Job.

    Runs in `over` have an outcome. While their Jobs live, they hold their model's turn, but nothing is
    skipped because of them.
    """
    live = [job for job in jobs if is_live(job)]
    ended = {_name(job) for job in jobs} - {_name(job) for job in live}
    open_entries = sorted(entry for entry in entries if entry.model in policies and entry.run not in ended)
    skip: dict[OpenRun, str] = {}
    first: list[OpenRun] = []
    for model, policy in policies.items():
        mine = [entry for entry in open_entries if entry.model == model]
        running = {_name(job) for job in live if _model(job) == model}
        skip |= _skipped(mine, running, running - over, policy)
        first += _next(
            [entry for entry in mine if entry not in skip], running - {entry.run for entry in skip}
        )
    room = max(0, quota - len({_name(job) for job in live} - {entry.run for entry in skip}))
    return NextRuns(sorted(first)[:room], sorted(first)[room:], skip)


def surplus(jobs: Iterable[Document], quota: int, now: datetime) -> list[str]:
    """Names of the runs' Jobs to delete: those beside an older live Job of their model, and new ones beyond
    the quota.

    A Job that is older than two minutes stays, even if the quota was lowered.
    """
    live = [job for job in jobs if is_live(job) and "deletionTimestamp" not in job["metadata"]]
    taken: set[str] = set()
    late: list[str] = []
    room, hardly = quota, timestamp(now - _HARDLY)
    for job in sorted(live, key=lambda job: (_is_run(job), _created(job), _name(job))):
        is_late = _model(job) in taken or (room <= 0 and _created(job) > hardly)
        if is_late and _is_run(job):
            late.append(_name(job))
        else:
            taken.add(_model(job))
            room -= 1
    return late


def _skipped(
    mine: Sequence[OpenRun], running: Set[str], training: Set[str], policy: Concurrency
) -> dict[OpenRun, str]:
    if policy == "Replace" and mine:
        return dict.fromkeys(mine[:-1], f"replaced by {mine[-1].run}: the Model's concurrency is Replace")
    if policy == "Forbid" and training:
        reason = f"it landed while {min(training)} was live: the Model's concurrency is Forbid"
        return {entry: reason for entry in mine if entry.run not in running}
    return {}


def _next(mine: Sequence[OpenRun], running: set[str]) -> Sequence[OpenRun]:
    return () if running else mine[:1]


def _is_run(job: Document) -> bool:
    try:
        return model_of_run(_name(job)) == _model(job)
    except Rejected:
        return False


def _created(job: Document) -> str:
    return str(job["metadata"].get("creationTimestamp", ""))


def _name(job: Document) -> str:
    return str(job["metadata"]["name"])


def _model(job: Document) -> str:
    return label_of(job, MODEL_LABEL)
