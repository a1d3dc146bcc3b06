"""All runs, newest first, and what the models' data still waits for: what `knoll runs` shows."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from knoll.errors import NewerSchema, Rejected
from knoll.ports import Platform
from knoll.views.expected import Expected, expected_runs
from knoll.views.ids import list_run_ids
from knoll.views.left_out import left_out_words
from knoll.views.run import RunView, read_run, run_document
from knoll.views.run_waits import Queue
from knoll.waits import wait_document

__all__ = ["RunsView", "look_at_runs", "read_runs", "runs_document"]


@dataclass(frozen=True)
class RunsView:
    """The runs, newest first. `waiting` has the models whose data asks for a run that is not there yet, with
    the reason. `of_data` has the runs of the data in the buckets; `runs` may lack old ones of them. `newest`
    is the newest of those, or else of all. `left_out` says how many runs only a newer knoll understands; ""
    for none."""

    runs: Sequence[RunView] = ()
    waiting: Sequence[Expected] = ()
    of_data: Sequence[RunView] = ()
    left_out: str = ""

    @property
    def newest(self) -> RunView | None:
        """The run whose end is the end of all."""
        return next(iter(self.of_data or self.runs), None)

    @property
    def is_over(self) -> bool:
        """Whether the newest run has ended and no other is on its way."""
        return self.newest is not None and self.newest.is_over and not self.waiting

    @property
    def settled(self) -> Mapping[str, RunView]:
        """The runs that never change again, by id."""
        return {one.run.id: one for one in (*self.runs, *self.of_data) if one.is_settled}


def look_at_runs(platform: Platform, model: str, limit: int, before: RunsView) -> RunsView:
    """The `limit` newest runs of a model, or of all for "". Runs that were settled `before` are not read
    again."""
    documents = [one for one in platform.cluster.list("Model") if model in ("", one["metadata"]["name"])]
    expected = expected_runs(platform, documents)
    asked = [one.run for one in expected]
    found, newer = _read_runs(platform, model, limit, before.settled, asked)
    there = {one.run.id for one in found}
    missing = [one for one in expected if one.run not in there and (one.run or model or not found)]
    of_data = [one for one in found if one.run.id in asked]  # data that returns may have an old run
    return RunsView(found[:limit], missing, of_data, left_out_words("run", newer))


def read_runs(platform: Platform, model: str = "", limit: int = 20) -> list[RunView]:
    """The newest runs of a model, or of all for "", newest first."""
    return _read_runs(platform, model, limit, {}, ())[0]


def _read_runs(
    platform: Platform, model: str, limit: int, known: Mapping[str, RunView], also: Collection[str]
) -> tuple[list[RunView], list[NewerSchema]]:
    """The newest runs and those of `also`, newest first, and why others are left out. Runs in `known` are
    taken from there. A run whose record is spoilt is passed over: `knoll doctor` names it."""
    views: list[RunView] = []
    newer: list[NewerSchema] = []
    queue = Queue(platform)
    for id in list_run_ids(platform, model):
        if len(views) < limit or id in also:
            try:
                with suppress(Rejected):
                    views.append(known.get(id) or read_run(platform, id, queue))
            except NewerSchema as error:
                newer.append(error)
    return sorted(views, key=lambda view: view.run.created_at, reverse=True), newer


def runs_document(view: RunsView) -> dict[str, Any]:
    """The runs as `-o json` shows them."""
    return {
        "runs": [run_document(one) for one in view.runs],
        "waiting": [
            {"model": one.model, "reason": one.reason, "wait": wait_document(one.wait)}
            for one in view.waiting
        ],
        "newest": view.newest.run.id if view.newest else "",
    }
