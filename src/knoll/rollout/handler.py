"""The rollout function: a version is trained, a predictor was observed, an InferenceService changed, or a
tick has passed; go on.

Every pass reads the slot, makes the world what the slot says (record, event, InferenceService), looks,
decides one step, and moves the slot with a resourceVersion precondition; until there is nothing to do. A pass
that was killed is repeated by the next, whoever makes it.
"""

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from knoll.errors import AlreadyExists, Conflict, InvalidModel, NotFound, act_on_each
from knoll.events import (
    PREDICTOR_OBSERVED,
    ROLLOUT_HELD,
    ROLLOUT_PROMOTED,
    ROLLOUT_ROLLEDBACK,
    ROLLOUT_SHIFTED,
    ROLLOUT_STARTED,
    Event,
    new_event,
    reading,
)
from knoll.events.http import event_from_http
from knoll.kube.labels import is_part
from knoll.kube.ownership import owned
from knoll.models import Model, parse_model
from knoll.ports import Document, Platform
from knoll.records.rollout import RolloutStep, write_step
from knoll.rollout.candidates import newest_untried, why_rejected
from knoll.rollout.decide import Promote, Replay, Restore, Rollback, See, Settle, Shift, Step, next_step
from knoll.rollout.inference_service import Observed, asked, desired, holds, newest_revision, observe
from knoll.rollout.memory import slot_from_records
from knoll.rollout.replay import replay
from knoll.rollout.reports import read_report
from knoll.rollout.slot import Evidence, Slot, slot_from_status, slot_to_status

__all__ = ["handle", "receive", "sweep"]

_LOG = logging.getLogger(__name__)
_MOST_STEPS = 12  # of one pass; a rollout that needs more goes on with the next event or tick
_PROMPT = timedelta(
    seconds=10
)  # between a decision and what it asks of the InferenceService, unless somebody was killed
_EVENTS = {
    "Start": ROLLOUT_STARTED,
    "Shift": ROLLOUT_SHIFTED,
    "Bake": ROLLOUT_SHIFTED,
    "Promote": ROLLOUT_PROMOTED,
    "Rollback": ROLLOUT_ROLLEDBACK,
    "Reject": ROLLOUT_HELD,
}


def handle(event: Event, platform: Platform) -> Event | None:
    """Go on with the rollout of the model that the event is about."""
    name = _model_of(event)
    if name:
        with suppress(NotFound):
            if event.type != PREDICTOR_OBSERVED or _count(name, event, platform):
                _advance(name, platform)
    return None


def receive(headers: Mapping[str, str], body: bytes, platform: Platform) -> Event | None:
    """Handle the event in one POST. Raises InvalidEvent when the body is none."""
    return handle(event_from_http(headers, body), platform)


def sweep(event: Event, platform: Platform) -> None:  # noqa: ARG001 - the signature of every stage's sweep
    """Go on with the rollout of every Model."""
    services = {
        service["metadata"]["name"]: service for service in platform.cluster.list("InferenceService")
    }  # before the slots

    def advance(document: Document) -> None:
        name = document["metadata"]["name"]
        with suppress(NotFound):
            if _went_on(document, services.get(name), platform):
                _advance(name, platform)

    act_on_each(platform.cluster.list("Model"), advance)


def _model_of(event: Event) -> str:
    data = event.data if isinstance(event.data, dict) else {}
    if "kind" in event.extensions:
        with reading(f"the object in event {event.id}"):
            return str(((data.get("metadata") or {}).get("labels") or {}).get("knoll.dev/model", ""))
    return str(data.get("model", ""))


def _advance(name: str, platform: Platform) -> None:
    for _ in range(_MOST_STEPS):
        service = _service(
            name, platform
        )  # read before the slot, or an old slot could be written over what a newer one has asked for
        if not _went_on(platform.cluster.get("Model", name), service, platform):
            return


def _went_on(document: Document, before: Document | None, platform: Platform) -> bool:
    """One pass over a Model and the InferenceService that was there before it; whether another is needed."""
    try:
        model = parse_model(document)
    except InvalidModel:
        return False
    slot = slot_from_status(document.get("status") or {})
    try:
        wanted = desired(model, slot, platform.settings)
        if before is not None and not is_part(before, model.name):
            _LOG.warning(
                "model %s: the InferenceService of that name is somebody else's: rename the Model", model.name
            )
            return False
        if _is_late(slot, wanted, before, platform):
            _write(
                document, replace(slot, since=platform.clock.now().isoformat()), platform
            )  # its time begins when it is asked for
            return True
        service = _settle(document, slot, before, wanted, platform)
        after = _decided(model, slot, _observed(slot, service, platform), platform)
        if after != slot:
            _write(document, after, platform)
    except (AlreadyExists, Conflict):
        return True
    return after != slot


def _is_late(slot: Slot, wanted: Document | None, live: Document | None, platform: Platform) -> bool:
    """Whether whoever made the slot so was killed before the InferenceService asked for it."""
    if slot.phase == "Idle" or asked(live) == asked(wanted):
        return False
    return platform.clock.now() - datetime.fromisoformat(slot.since) > _PROMPT


def _service(name: str, platform: Platform) -> Document | None:
    try:
        return platform.cluster.get("InferenceService", name)
    except NotFound:
        return None


def _settle(
    document: Document, slot: Slot, live: Document | None, wanted: Document | None, platform: Platform
) -> Document | None:
    """Make the world what the slot says: its last transition recorded and told, and the InferenceService as
    `wanted`.

    Raises AlreadyExists or Conflict when somebody else has changed the InferenceService since it was `live`.
    """
    name = document["metadata"]["name"]
    _record(name, slot, platform)
    if live is None:
        return platform.cluster.create(owned(wanted, document)) if wanted else None
    if wanted is None:
        with suppress(NotFound):
            platform.cluster.delete("InferenceService", name, version=live["metadata"]["resourceVersion"])
        return None
    return (
        live
        if holds(live["spec"], wanted["spec"])
        else platform.cluster.update({**live, "spec": wanted["spec"]})
    )


def _observed(slot: Slot, service: Document | None, platform: Platform) -> Observed:
    """What is seen of the version that the slot wants to serve."""
    name = newest_revision(service)
    if slot.phase == "Idle" or not name:
        return Observed()
    try:
        revision = platform.cluster.get("Revision", name)
    except NotFound:
        return Observed()
    pods = (
        platform.cluster.list("Pod", {"serving.knative.dev/revision": name})
        if slot.phase == "Deploying"
        else []
    )
    return observe(service, revision, slot.champion if slot.phase == "RollingBack" else slot.candidate, pods)


def _record(model: str, slot: Slot, platform: Platform) -> None:
    made = slot.transition
    if made is None:
        return
    step = RolloutStep(model, made.version, **vars(made), step=slot.step, champion=slot.champion)
    if not write_step(step, platform.bucket):
        return
    event = new_event(
        _EVENTS[made.action],
        source=platform.settings.source,
        time=platform.clock.now(),
        subject=model,
        data=step.fields(),
    )
    platform.events.publish(event)


def _decided(model: Model, slot: Slot, observed: Observed, platform: Platform) -> Slot:
    now = platform.clock.now()
    if slot.phase == "Idle":
        return _with_candidate(model, slot, now.isoformat(), platform)
    step = next_step(slot, model.rollout, observed, now)
    if isinstance(step, Replay):
        return _replayed(model, slot, step, observed, platform)
    return _after(slot, step, now.isoformat())


def _with_candidate(model: Model, slot: Slot, at: str, platform: Platform) -> Slot:
    if slot == Slot() and (before := slot_from_records(model.name, platform.bucket)) != slot:
        return before
    version = newest_untried(model, slot, platform)
    if not version:
        return slot
    reason = why_rejected(model, slot, version, platform)
    if reason:
        return replace(
            slot.moved("Reject", at, reason, candidate=version, percent=0),
            candidate="",
            quarantine={**slot.quarantine, version: reason},
        )
    percent = model.rollout.steps[0] if slot.champion and model.rollout.steps else 100
    cleared = replace(slot, evidence=Evidence())
    return cleared.moved(
        "Start",
        at,
        "the gate is passed",
        candidate=version,
        phase="Deploying",
        step=0,
        percent=percent,
        attempt=0,
    )


def _replayed(model: Model, slot: Slot, step: Replay, observed: Observed, platform: Platform) -> Slot:
    sent, failed = replay(model.name, slot.candidate, observed.tagged_url, step.requests, platform)
    before = slot.evidence.replayed
    return replace(slot, evidence=replace(slot.evidence, replayed=(before[0] + sent, before[1] + failed)))


def _after(slot: Slot, step: Step, at: str) -> Slot:
    counted = replace(slot.evidence, before=slot.evidence.requests)
    match step:
        case See():
            return replace(slot, seen=at, evidence=counted)
        case Shift(number, percent, reason):
            return slot.moved(
                "Shift", at, reason, phase="Canary", step=number, percent=percent, evidence=counted
            )
        case Promote(reason, final=False):
            return slot.moved("Bake", at, reason, phase="Baking", percent=100)
        case Promote(reason, final=True):
            promoted = slot.moved("Promote", at, reason, phase="Idle", percent=100)
            return replace(promoted, champion=slot.candidate, previous=slot.champion, candidate="")
        case Rollback(reason):
            back = slot.moved("Rollback", at, reason, phase="RollingBack", percent=0)
            return replace(back, quarantine={**slot.quarantine, slot.candidate: reason})
        case Restore():
            return replace(slot, attempt=slot.attempt + 1, since=at)
        case Settle():
            return replace(slot, phase="Idle", candidate="", percent=100 if slot.champion else 0, since=at)
    return slot


def _count(name: str, event: Event, platform: Platform) -> bool:
    """Keep what a predictor of the candidate has counted so far; False when its version is not on trial.
    Counts only rise, so repeats and late events change nothing."""
    version, instance, reported = read_report(event)
    while True:
        document = platform.cluster.get("Model", name)
        slot = slot_from_status(document.get("status") or {})
        if slot.phase not in ("Canary", "Baking") or version != slot.candidate:
            return False
        before = slot.evidence.instances.get(instance, (0, 0))
        counts = (max(before[0], reported[0]), max(before[1], reported[1]))
        if counts == before:
            return True
        instances = {**slot.evidence.instances, instance: counts}
        with suppress(Conflict):
            _write(document, replace(slot, evidence=replace(slot.evidence, instances=instances)), platform)


def _write(document: Document, slot: Slot, platform: Platform) -> None:
    status = slot_to_status(slot, document.get("status") or {})
    platform.cluster.update({**document, "status": dict(status)}, status=True)
