"""One pass over the inbox: settle the runs that have ended, then let the next ones have their turn."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from knoll.errors import KnollError, NewerSchema, Rejected, Unavailable, act_on_each
from knoll.events import Event
from knoll.kube.jobs import is_live
from knoll.kube.labels import MANAGED
from knoll.models import readable_models
from knoll.ports import Document, Platform
from knoll.recent import recent_models
from knoll.records.outcome import has_outcome
from knoll.records.progress import BLOCKED
from knoll.records.run import is_opened
from knoll.train.ending import close_entry, settle_entry, skip_run, supersede_run
from knoll.train.entries import list_entries
from knoll.train.starting import delete_surplus, start_job
from knoll.train.turns import NextRuns, OpenRun, forbidding, plan_turns
from knoll.train.unasked import Checks
from knoll.train.waiting import note_waiting

__all__ = ["sweep_inbox"]


def sweep_inbox(event: Event, platform: Platform) -> None:
    """Do one pass. A run that fails stops no other run; the first error is raised at the end."""
    jobs = platform.cluster.list("Job", MANAGED)
    entries = list_entries(platform.bucket)
    job_of = {job["metadata"]["name"]: job for job in jobs}
    left: list[OpenRun] = []

    def settle(entry: OpenRun) -> None:
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


def _take_turns(entries: Collection[OpenRun], jobs: list[Document], event: Event, platform: Platform) -> None:
    if not entries:
        return
    wanted = {entry.model for entry in entries}
    documents = recent_models(platform, lambda known: known.keys() >= wanted)
    models = {model.name: model for model in readable_models(documents.values())}  # runs of others wait
    turns = _Turns(Checks(documents, models, platform), event, set(entries), list(jobs))
    plan = turns.settle_and_plan()
    _do_all(lambda: _carry_out(plan, turns.checks, event, platform), turns.raise_first)
    open_runs = Counter(entry.model for entry in entries)
    if any(open_runs[entry.model] > 1 for entry in plan.start):
        delete_surplus(platform.cluster.list("Job", MANAGED), platform)


@dataclass
class _Turns:
    """The entries that may have a turn, and the Jobs beside them. Runs that have ended by now leave them."""

    checks: Checks
    event: Event
    entries: set[OpenRun]
    jobs: list[Document]
    fit: set[OpenRun] = field(default_factory=set)
    failed: list[KnollError] = field(default_factory=list)

    def settle_and_plan(self) -> NextRuns:
        """End the runs that must not go on. The turns are those of the others: they have no outcome, are
        still asked for, and have their data."""
        live = {job["metadata"]["name"] for job in self.jobs if is_live(job)}
        self._settle_each(self.checks.first(sorted(self.entries), live), self._end_unasked)
        policies = {name: model.training.concurrency for name, model in self.checks.models.items()}
        platform = self.checks.platform
        over = {
            run
            for run in sorted(forbidding(self.entries, self.jobs, policies))
            if has_outcome(run, platform.bucket)
        }
        while True:
            plan = plan_turns(self.entries, self.jobs, policies, platform.settings.quota, over)
            unsure = [entry for entry in plan.start if entry not in self.fit]
            if not unsure:
                return plan
            self._settle_each(unsure, self._end_unfit)
            self.fit.update(unsure)

    def _settle_each(self, entries: Iterable[OpenRun], goes_on: Callable[[OpenRun], bool]) -> None:
        """Let the entries go that are not fit, with their Jobs. An entry that cannot be checked has no turn.
        If that may pass, no other entry of its model has one; but without keys for stamps anybody can write a
        record of a newer schema, so it holds no other run. If its record or data is spoilt, it ends."""
        has_keys = bool(self.checks.platform.bucket.stamp_verify_key)

        def check(entry: OpenRun) -> None:
            try:
                if not goes_on(entry):
                    self.entries.discard(entry)
                    self.jobs = [job for job in self.jobs if job["metadata"]["name"] != entry.run]
            except Unavailable as error:
                is_alone = isinstance(error, NewerSchema) and not has_keys
                held = {entry} if is_alone else {one for one in self.entries if one.model == entry.model}
                self.entries -= held
                raise
            except Rejected as error:
                self.entries.discard(entry)
                self._end_spoilt(entry, error)

        try:
            act_on_each(entries, check)
        except KnollError as error:
            self.failed.append(error)

    def _end_spoilt(self, entry: OpenRun, error: Rejected) -> None:
        """End the run, so that its data gets a new one. An entry of the inbox without a record is no run."""
        platform = self.checks.platform
        if is_opened(entry.run, platform.bucket):
            supersede_run(entry, f"its record cannot be read: {error}", self.event, platform)

    def raise_first(self) -> None:
        """Raise the first error of the checks."""
        if self.failed:
            raise self.failed[0]

    def _end_unasked(self, entry: OpenRun) -> bool:
        """End the run if its Model does not ask for it any more; whether it goes on."""
        self.checks.copy_record(entry)
        return self._end_if(entry, self.checks.why_unasked(entry))

    def _end_unfit(self, entry: OpenRun) -> bool:
        """End the run if it must not start; whether it may."""
        if has_outcome(entry.run, self.checks.platform.bucket):  # a late event had put it back
            close_entry(entry, self.checks.platform)
            return False
        checks = self.checks
        checks.copy_record(entry)
        fault = checks.why_unasked(entry) or checks.why_forged(entry) or checks.why_lost(entry)
        return self._end_if(entry, fault)

    def _end_if(self, entry: OpenRun, fault: str) -> bool:
        if fault:
            supersede_run(entry, fault, self.event, self.checks.platform)
        return not fault


def _carry_out(plan: NextRuns, checks: Checks, event: Event, platform: Platform) -> None:
    unskipped = set(plan.skip)

    def skip(entry: OpenRun) -> None:
        skip_run(entry, checks.models[entry.model], plan.skip[entry], event, platform)
        unskipped.remove(entry)

    def start(entry: OpenRun) -> None:
        if entry.model not in {one.model for one in unskipped}:  # the Job of that one may still be live
            start_job(checks.record(entry), checks.documents[entry.model], event, platform)

    def block(entry: OpenRun) -> None:
        reason = f"all {platform.settings.quota} Jobs of the quota are live"
        note_waiting(entry.run, entry.model, BLOCKED, reason, event, platform)

    _do_all(
        lambda: act_on_each(plan.skip, skip),
        lambda: act_on_each(plan.start, start),
        lambda: act_on_each(plan.blocked, block),
    )
