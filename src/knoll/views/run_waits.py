"""What a run waits for before it trains: its turn, a free Job, a node, an image, another attempt.

The turn is decided as train decides it, from the inbox, the live Jobs and the quota. What the cluster says of
a Job or its Pod is quoted.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from knoll.kube.jobs import is_live
from knoll.kube.labels import MANAGED, MODEL_LABEL, label_of
from knoll.kube.obstacles import obstacle_words
from knoll.models import Model, readable_models
from knoll.ports import Document, Platform
from knoll.quantities import counted
from knoll.records.progress import BLOCKED, WAITING, Progress
from knoll.records.run import Run
from knoll.train.entries import list_entries
from knoll.train.turns import OpenRun
from knoll.views.conditions import Condition, conditions_of
from knoll.waits import Wait

__all__ = ["Queue", "attempt_wait", "job_wait", "turn_wait"]

_NAMED = 3  # runs in a list


@dataclass(frozen=True)
class Queue:
    """The runs without an end, the live Jobs and the Models. Each is read once, when it is first wanted."""

    platform: Platform

    @cached_property
    def entries(self) -> Sequence[OpenRun]:
        """The inbox, oldest data first."""
        return list_entries(self.platform.bucket)

    @cached_property
    def runs(self) -> Set[str]:
        """The runs in the inbox."""
        return {one.run for one in self.entries}

    @cached_property
    def live(self) -> Mapping[str, Document]:
        """The live Jobs by run."""
        jobs = self.platform.cluster.list("Job", MANAGED)
        return {one["metadata"]["name"]: one for one in jobs if is_live(one)}

    @cached_property
    def models(self) -> Mapping[str, Model | None]:
        """The Models by name; None for one that cannot be read."""
        documents = self.platform.cluster.list("Model")
        readable = {one.name: one for one in readable_models(documents)}
        return {name: readable.get(name) for name in (one["metadata"]["name"] for one in documents)}


def turn_wait(run: Run, progress: Progress | None, queue: Queue) -> Wait:
    """What a run of the inbox waits for while it has no Job."""
    quota = queue.platform.settings.quota
    is_full = len(queue.live) >= quota
    if progress and progress.state == BLOCKED and not is_full:  # the API server does not admit its Job
        return Wait(progress.reason, progress.updated_at, "each sweep asks for its Job again")
    mine = next(one for one in queue.entries if one.run == run.id)
    since, sweep = run.created_at, "the next sweep ends it as superseded"
    if run.model not in queue.models:
        return Wait("the Model that asked for it was deleted", since, sweep)
    if queue.models[run.model] is None:
        return Wait("its Model cannot be read", since, "apply a Model that can be read")
    before = [one.run for one in queue.entries if one.model == run.model and one < mine]
    live = [name for name, job in queue.live.items() if label_of(job, MODEL_LABEL) == run.model]
    if live or before:
        return _model_wait(run, before, live, queue)
    if is_full:
        what = f"a free Job: all {quota} of the quota are live: {_names(sorted(queue.live))}"
        return Wait(what, since, "it gets its Job when one of them has ended", 0, 1)
    return Wait("its Job", since, "its turn has come: the next sweep creates it", 0, 1)


def _model_wait(run: Run, before: Sequence[str], live: Sequence[str], queue: Queue) -> Wait:
    """A model trains one run at a time."""
    first = next(iter(live), before[0] if before else "")
    others = [one for one in before if one not in live]
    more = f", and {counted(len(others), 'run')} before it: {_names(others)}" if others and live else ""
    what = f"its turn: {first} is live{more}" if live else f"its turn: {_names(others)} before it"
    until = _deadline(queue.live[first]) if live and not others else ""
    late = f", at {until[11:19]} at the latest" if until else ""
    ends = f"it gets its Job when {first if not others else others[-1]} has ended{late}"
    return Wait(what, run.created_at, ends, 0, len({*before, *live}), until)


def job_wait(job: Document, progress: Progress | None) -> Wait | None:
    """What a run with a live Job waits for; None if it has begun, or is about to."""
    told = next((one for one in conditions_of(job) if one.status == "True"), None)
    noted = progress if progress and progress.state == WAITING else None
    if noted is None and told is None:
        return attempt_wait(job)
    what = noted.reason if noted else _condition_words(told) if told else ""
    since = noted.updated_at if noted else told.since if told else ""
    until = _deadline(job)
    ends = f"if that is not mended, the run fails at {until[11:19]}" if until else ""
    return Wait(what, since, ends, until=until)


def attempt_wait(job: Document) -> Wait | None:
    """That the last attempt of a Job has failed, and no other runs yet; None if that is not so."""
    spec, status = job.get("spec") or {}, job.get("status") or {}
    failed, nodes = int(status.get("failed") or 0), int(spec.get("completions") or 1)
    if not failed or status.get("active") or status.get("ready") or not is_live(job):
        return None
    tries = (int(spec.get("backoffLimit") or 0) + 1) // nodes
    done = -(-failed // nodes)
    what = f"attempt {done + 1} of {tries}: {counted(done, 'attempt')} failed"
    return Wait(what, "", "it starts after a pause, which doubles up to 6 minutes", done, tries)


def _condition_words(one: Condition) -> str:
    return obstacle_words(one.reason, one.message) if one.type == "Waiting" else one.words


def _deadline(job: Document) -> str:
    """When the Job fails if it has not ended; "" if it has not started, or has no deadline."""
    seconds = (job.get("spec") or {}).get("activeDeadlineSeconds")
    started = (job.get("status") or {}).get("startTime")
    if not seconds or not started:
        return ""
    return (datetime.fromisoformat(started) + timedelta(seconds=seconds)).isoformat()


def _names(runs: Sequence[str]) -> str:
    more = f" and {len(runs) - _NAMED} more" if len(runs) > _NAMED else ""
    return ", ".join(runs[:_NAMED]) + more
