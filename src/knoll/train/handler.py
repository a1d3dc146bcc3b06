"""The train function: exactly one Job for each run that ingest has opened.

Two arbiters, never one: the run record, put on condition that there is none, outlives the Job; the Job's
name, which is the run id, lets the API server decide who creates it. The inbox holds the runs that are not
settled, and nothing else is ever listed, so that it does not matter how many there have been. An entry leaves
it when its run has an outcome and no live Job.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from knoll.errors import AlreadyExists, Forbidden, KnollError, NotFound, Rejected, act_on_each
from knoll.events import DATASET_LANDED, TRAINING_FAILED, Event, new_event, reading, run_asked_for
from knoll.events.http import event_from_http
from knoll.kube.jobs import is_live, job_failure
from knoll.kube.labels import MANAGED
from knoll.kube.ownership import owned
from knoll.models import Model, readable_models
from knoll.names import model_of_run
from knoll.ports import Document, Platform
from knoll.recent import recent_models
from knoll.records.inbox import inbox, inbox_entry
from knoll.records.outcome import Outcome, outcome_uri, write_outcome
from knoll.records.progress import BLOCKED
from knoll.records.run import Run, load_run, run_uri
from knoll.train.job import job_document
from knoll.train.pods import JOB_LABEL, last_end
from knoll.train.single_flight import single_flight
from knoll.train.turns import Concurrency, Entry, Plan, forbidding, plan_turns, surplus
from knoll.train.waiting import note_obstacle, note_waiting

__all__ = ["handle", "receive", "sweep"]

_LOG = logging.getLogger(__name__)


def handle(event: Event, platform: Platform) -> Event | None:
    """Start the run of a landed dataset, note why a Pod waits; after all else that may free a model's turn,
    sweep."""
    if event.type == DATASET_LANDED:
        _train(run_asked_for(event), event, platform)
    elif event.extensions.get("kind") == "Pod":
        note_obstacle(event, platform)
    elif not _is_of_live_job(event):
        sweep(event, platform)
    return None


def receive(headers: Mapping[str, str], body: bytes, platform: Platform) -> Event | None:
    """Handle the event in one POST. Raises InvalidEvent when the body is none."""
    return handle(event_from_http(headers, body), platform)


def sweep(event: Event, platform: Platform) -> None:
    """Settle the runs that have ended, and give Jobs to those whose turn it is."""
    flight = single_flight(platform.cluster)
    flight.share(flight.ticket(), lambda: _pass(event, platform))


def _pass(event: Event, platform: Platform) -> None:
    jobs = platform.cluster.list("Job", MANAGED)
    entries = _entries(platform)
    mine = {job["metadata"]["name"]: job for job in jobs}
    left: list[Entry] = []

    def settle(entry: Entry) -> None:
        if not _settled(entry, mine.get(entry.run), platform, event):
            left.append(entry)

    _carry_out(
        lambda: _yield(jobs, platform),
        lambda: act_on_each(entries, settle),
        lambda: _take_turns(left, jobs, event, platform),
    )


def _carry_out(*steps: Callable[[], None]) -> None:
    """All steps, also when one fails."""

    def call(step: Callable[[], None]) -> None:
        step()

    act_on_each(steps, call)


def _train(run_id: str, event: Event, platform: Platform) -> None:
    """Start a run: by itself, if nobody else has asked for anything meanwhile, else in a pass for all who
    have."""
    flight = single_flight(platform.cluster)
    ticket = flight.ticket()
    with flight.turn():
        if flight.is_newest(ticket) and _started_alone(run_id, event, platform):
            return
        _opened(run_id, event, platform)
        flight.share(ticket, lambda: _pass(event, platform))


def _opened(run_id: str, event: Event, platform: Platform) -> Run:
    """The record of a run. Raises Rejected when there is none: whoever opens a run writes that before anybody
    is told."""
    try:
        return load_run(platform.store.get(run_uri(platform.settings.model_root, run_id)))
    except NotFound as error:
        raise Rejected(f"event {event.id} names run {run_id}, which nobody has opened") from error


def _started_alone(run_id: str, event: Event, platform: Platform) -> bool:
    """The short way, for a run that is the only open one of its model: whether nothing is left to do.

    A run is in the inbox before anybody is told of it, so of two runs that open at once one at least sees the
    other, and sweeps.
    """
    model = model_of_run(run_id)
    with ThreadPoolExecutor(3) as others:
        listed = others.submit(_entries, platform)
        record = others.submit(_opened, run_id, event, platform)
        ended = others.submit(_has_ended, run_id, platform)
        document = recent_models(platform, lambda known: model in known).get(model)
    run, entries = record.result(), listed.result()
    if document is None or run_id not in {entry.run for entry in entries}:
        return True  # nobody wants it to be trained
    mine = [entry.run for entry in entries if entry.model == model]
    if ended.result() or len(entries) > platform.settings.quota or mine != [run_id]:
        return False
    _start(run, document, event, platform)
    _yield(platform.cluster.list("Job", MANAGED), platform)
    return True


def _entries(platform: Platform) -> list[Entry]:
    """The inbox, oldest first. A run that was opened twice, by somebody who was killed and by the next, may
    have two objects there."""
    found: dict[str, list[tuple[str, str]]] = {}
    for one in platform.store.list(inbox(platform.settings.model_root)):
        with suppress(Rejected):  # somebody else's file
            run, data_at = inbox_entry(one.uri)
            found.setdefault(run, []).append((data_at, one.uri))
    return sorted(
        Entry(min(ours)[0], run, model_of_run(run), tuple(uri for _, uri in ours))
        for run, ours in found.items()
    )


def _remove(entry: Entry, platform: Platform) -> None:
    for uri in entry.uris:
        platform.store.delete(uri)


def _take_turns(entries: Iterable[Entry], jobs: list[Document], event: Event, platform: Platform) -> None:
    if not entries:
        return
    wanted = {entry.model for entry in entries}
    documents = recent_models(platform, lambda known: known.keys() >= wanted)
    models = {model.name: model for model in readable_models(documents.values())}  # the runs of others wait
    plan = _plan(
        entries, jobs, {name: model.training.concurrency for name, model in models.items()}, platform
    )

    unskipped = set(plan.skip)

    def skip(entry: Entry) -> None:
        _skip(entry, models[entry.model], plan.skip[entry], platform, event)
        unskipped.remove(entry)

    def start(entry: Entry) -> None:
        if entry.model not in {one.model for one in unskipped}:  # its Job may be live still
            _start(_record(entry, platform), documents[entry.model], event, platform)

    def block(entry: Entry) -> None:
        reason = f"all {platform.settings.quota} Jobs of the quota are live"
        note_waiting(entry.run, entry.model, BLOCKED, reason, platform, event)

    _carry_out(
        lambda: act_on_each(plan.skip, skip),
        lambda: act_on_each(plan.start, start),
        lambda: act_on_each(plan.blocked, block),
    )
    open_runs = Counter(entry.model for entry in entries)
    if any(open_runs[entry.model] > 1 for entry in plan.start):
        _yield(platform.cluster.list("Job", MANAGED), platform)


def _plan(
    entries: Iterable[Entry], jobs: list[Document], policies: Mapping[str, Concurrency], platform: Platform
) -> Plan:
    """The turns, when all have left that had their outcome long ago, and came back to the inbox by an event
    that was late."""
    left = set(entries)
    over = {run for run in sorted(forbidding(left, jobs, policies)) if _has_ended(run, platform)}
    while True:
        plan = plan_turns(left, jobs, policies, platform.settings.quota, over)
        ended = [entry for entry in plan.start if _has_ended(entry.run, platform)]
        if not ended:
            return plan
        for entry in ended:
            _remove(entry, platform)
        left -= set(ended)


def _record(entry: Entry, platform: Platform) -> Run:
    """The run's record; whoever opened the run may have been killed before it was written, and its entry is
    the same."""
    root = platform.settings.model_root
    try:
        return load_run(platform.store.get(run_uri(root, entry.run)))
    except NotFound:
        run = load_run(platform.store.get(entry.uris[0]))
    with suppress(AlreadyExists):
        platform.store.put(
            run_uri(root, run.id), run.encode(), if_absent=True, content_type="application/json"
        )
    return run


def _start(run: Run, model: Document, cause: Event, platform: Platform) -> None:
    """Create the Job; one that the cluster will never take ends the run, one that it does not take now is
    tried again by sweep."""
    try:
        platform.cluster.create(owned(job_document(run, platform.settings), model))
    except AlreadyExists:
        return
    except Forbidden as error:
        note_waiting(run.id, run.model, BLOCKED, str(error), platform, cause)
    except Rejected as error:
        _end(
            run.id, Outcome("rejected", platform.clock.now().isoformat(), reason=str(error)), platform, cause
        )


def _skip(entry: Entry, model: Model, reason: str, platform: Platform, cause: Event) -> None:
    """End a run untrained; if its data lands again it has a new run, but where each object is a dataset, all
    stay landed."""
    superseded = model.training.concurrency == "Replace" and model.dataset.landed.when != "object"
    _end(
        entry.run,
        Outcome("skipped", platform.clock.now().isoformat(), reason=reason, superseded=superseded),
        platform,
        cause,
    )
    with suppress(NotFound):
        platform.cluster.delete("Job", entry.run)
    _remove(entry, platform)


def _yield(jobs: Iterable[Document], platform: Platform) -> None:
    """Let the later of two Jobs of one model wait again, and the last beyond the quota: others may have seen
    another inbox."""
    for name in surplus(jobs, platform.settings.quota, platform.clock.now()):
        with suppress(NotFound):
            platform.cluster.delete("Job", name)


def _is_of_live_job(event: Event) -> bool:
    """Whether the event only tells that a Job goes on: nobody's turn comes of it."""
    with reading(f"the Job in event {event.id}"):
        return event.extensions.get("kind") == "Job" and isinstance(event.data, dict) and is_live(event.data)


def _settled(entry: Entry, job: Document | None, platform: Platform, event: Event) -> bool:
    """Take the run of an ended Job out of the inbox, with an outcome if it has none: the trainer was killed,
    or never started."""
    if job is None or is_live(job):
        return False
    if not _has_ended(entry.run, platform):
        reason = job_failure(job) or "the Job has completed and left no outcome"
        words = "; ".join(filter(None, (reason, _last_words(entry.run, platform))))
        _end(entry.run, Outcome("failed", platform.clock.now().isoformat(), reason=words), platform, event)
    _remove(entry, platform)
    return True


def _has_ended(run: str, platform: Platform) -> bool:
    return any(platform.store.list(outcome_uri(platform.settings.model_root, run)))


def _end(run: str, outcome: Outcome, platform: Platform, cause: Event) -> None:
    """Write the outcome and tell of it, unless the run has ended otherwise."""
    if not write_outcome(run, outcome, platform.bucket):
        return
    model = model_of_run(run)
    data = {"runId": run, "model": model, "state": outcome.state, "reason": outcome.reason}
    time = platform.clock.now()
    platform.events.publish(
        new_event(
            TRAINING_FAILED, source=platform.settings.source, time=time, subject=model, data=data, cause=cause
        )
    )


def _last_words(run: str, platform: Platform) -> str:
    """How the last Pod of a run ended; empty when that cannot be learnt, which must not keep the outcome from
    being written."""
    try:
        end = last_end(platform.cluster.list("Pod", {JOB_LABEL: run}))
    except KnollError as error:
        _LOG.warning("the Pods of %s cannot be listed: %s", run, error)
        return ""
    return f"the last Pod: {end}" if end else ""
