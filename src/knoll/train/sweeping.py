"""One pass over the inbox: settle the runs that have ended, then let the next ones have their turn."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping

from knoll.errors import act_on_each
from knoll.events import Event
from knoll.kube.labels import MANAGED
from knoll.models import Model, readable_models
from knoll.ports import Document, Platform
from knoll.recent import recent_models
from knoll.records.outcome import has_outcome
from knoll.records.progress import BLOCKED
from knoll.train.ending import settle_entry, skip_run
from knoll.train.entries import list_entries, read_record, remove_entries
from knoll.train.starting import delete_surplus, start_job
from knoll.train.turns import Entry, Plan, forbidding, plan_turns
from knoll.train.waiting import note_waiting

__all__ = ["sweep_inbox"]


def sweep_inbox(event: Event, platform: Platform) -> None:
    """Do one pass. A run that fails stops no other run; the first error is raised at the end."""
    jobs = platform.cluster.list("Job", MANAGED)
    entries = list_entries(platform.bucket)
    job_of = {job["metadata"]["name"]: job for job in jobs}
    left: list[Entry] = []

    def settle(entry: Entry) -> None:
        if not settle_entry(entry, job_of.get(entry.run), event, platform):
            left.append(entry)

    _do_all(
        lambda: delete_surplus(jobs, platform),
        lambda: act_on_each(entries, settle),
        lambda: _take_turns(left, jobs, event, platform),
    )


def _do_all(*steps: Callable[[], None]) -> None:
    """Do all steps, also if one fails."""

    def call(step: Callable[[], None]) -> None:
        step()

    act_on_each(steps, call)


def _take_turns(entries: Collection[Entry], jobs: list[Document], event: Event, platform: Platform) -> None:
    if not entries:
        return
    wanted = {entry.model for entry in entries}
    documents = recent_models(platform, lambda known: known.keys() >= wanted)
    models = {model.name: model for model in readable_models(documents.values())}  # runs of others wait
    plan = _settle_and_plan(entries, jobs, models, platform)
    _carry_out(plan, models, documents, event, platform)
    open_runs = Counter(entry.model for entry in entries)
    if any(open_runs[entry.model] > 1 for entry in plan.start):
        delete_surplus(platform.cluster.list("Job", MANAGED), platform)


def _settle_and_plan(
    entries: Collection[Entry], jobs: list[Document], models: Mapping[str, Model], platform: Platform
) -> Plan:
    """The turns. Runs that have an outcome get none, and leave the inbox: a late event had put them back."""
    policies = {name: model.training.concurrency for name, model in models.items()}
    left = set(entries)
    over = {run for run in sorted(forbidding(left, jobs, policies)) if has_outcome(run, platform.bucket)}
    while True:
        plan = plan_turns(left, jobs, policies, platform.settings.quota, over)
        ended = [entry for entry in plan.start if has_outcome(entry.run, platform.bucket)]
        if not ended:
            return plan
        remove_entries(ended, platform.bucket)
        left -= set(ended)


def _carry_out(
    plan: Plan,
    models: Mapping[str, Model],
    documents: Mapping[str, Document],
    event: Event,
    platform: Platform,
) -> None:
    unskipped = set(plan.skip)

    def skip(entry: Entry) -> None:
        skip_run(entry, models[entry.model], plan.skip[entry], event, platform)
        unskipped.remove(entry)

    def start(entry: Entry) -> None:
        if entry.model not in {one.model for one in unskipped}:  # the Job of that one may still be live
            start_job(read_record(entry, platform.bucket), documents[entry.model], event, platform)

    def block(entry: Entry) -> None:
        reason = f"all {platform.settings.quota} Jobs of the quota are live"
        note_waiting(entry.run, entry.model, BLOCKED, reason, event, platform)

    _do_all(
        lambda: act_on_each(plan.skip, skip),
        lambda: act_on_each(plan.start, start),
        lambda: act_on_each(plan.blocked, block),
    )
