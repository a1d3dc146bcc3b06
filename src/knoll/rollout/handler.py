"""The rollout function. It goes on with a rollout when a version is trained, a predictor reports, a Model or
InferenceService changes, or a tick has passed.

Each pass reads the slot, writes what the slot says (record, event, InferenceService), reads the status,
decides one step, and carries that out. A pass that was killed is repeated by the next one.
"""

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from knoll.errors import (
    AlreadyExists,
    Conflict,
    InvalidModel,
    InvalidVersion,
    NewerSchema,
    NotFound,
    act_on_each,
)
from knoll.events import PREDICTOR_LABELLED, PREDICTOR_OBSERVED, PREDICTOR_RECORDED, Event, reading
from knoll.events.http import event_from_http
from knoll.kube.labels import COMPONENT_LABEL, MANAGED, MODEL_LABEL, is_part, label_of
from knoll.models import Model, parse_model
from knoll.ports import Document, Platform
from knoll.rollout.compare import write_compared_part
from knoll.rollout.consent import ask_before_step
from knoll.rollout.crashes import keep_crashes
from knoll.rollout.decide import next_step
from knoll.rollout.disbelieved import forget_disbelieved
from knoll.rollout.due import LONGEST_WAIT, wait_until_due
from knoll.rollout.edits import without_edits
from knoll.rollout.faulty import return_traffic
from knoll.rollout.inference_service import desired, served_version
from knoll.rollout.integrity import NOTHING_SEEN
from knoll.rollout.labelled import keep_labels
from knoll.rollout.moves import slot_after
from knoll.rollout.observed import Observed, newest_revision, refusals
from knoll.rollout.recordings import drop_unwanted, keep_recorded
from knoll.rollout.replay import REPLAY_TIME, replay_part
from knoll.rollout.reports import keep_report
from knoll.rollout.rest import slot_at_rest
from knoll.rollout.revision_keys import key_secret, name_of
from knoll.rollout.scraped import keep_scraped
from knoll.rollout.shortage import amid_shortage
from knoll.rollout.slot import Slot, slot_from_status
from knoll.rollout.steer import steered
from knoll.rollout.steps import Compare, NotYet, Replay, Rollback
from knoll.rollout.superseded import unless_superseded, with_asked
from knoll.rollout.weigh import weighed
from knoll.rollout.wishes import check_wish, known_wish, open_wish
from knoll.rollout.world import (
    find_isvc,
    is_late,
    is_observed,
    is_starting,
    note_edit,
    put_off,
    record_step,
    see_version,
    write_isvc,
    write_slot,
)

__all__ = ["advance", "handle", "receive", "sweep"]

Refusals = Mapping[tuple[str, str], str]
_NONE: Refusals = MappingProxyType({})
_LOG = logging.getLogger(__name__)
_KEPT = {  # reports, before they are judged
    PREDICTOR_OBSERVED: keep_report,
    PREDICTOR_LABELLED: keep_labels,
    PREDICTOR_RECORDED: keep_recorded,
}
_MOST_PASSES = 12  # of one call; a rollout that needs more goes on with the next event or tick


def handle(event: Event, platform: Platform) -> Event | None:
    """Go on with the rollout of the model that the event is about."""
    name = _model_of(event)
    if name and not _is_own_change(event):
        with suppress(NotFound):
            keep = _KEPT.get(event.type)
            if keep is None or keep(name, event, platform):
                advance(name, _replay_end(platform), platform, LONGEST_WAIT)
    return None


def receive(headers: Mapping[str, str], body: bytes, platform: Platform) -> Event | None:
    """Handle the event in one POST. Raises InvalidEvent if the body is not an event."""
    return handle(event_from_http(headers, body), platform)


def sweep(event: Event, platform: Platform) -> None:  # noqa: ARG001 - the signature of every stage's sweep
    """Go on with the rollout of every Model."""
    listed = platform.cluster.list("InferenceService")  # before the slots
    isvcs = {isvc["metadata"]["name"]: isvc for isvc in listed}
    until = _replay_end(platform)
    refused = refusals(platform.cluster.list("Pod", {**MANAGED, COMPONENT_LABEL: "predictor"}))

    def pass_over(document: Document) -> None:
        name = document["metadata"]["name"]
        with suppress(NotFound):
            rested = forget_disbelieved(document, platform)
            if _make_pass(rested, isvcs.get(name), until, platform, refused):
                advance(name, until, platform)
            else:
                check_wish(rested)

    act_on_each(platform.cluster.list("Model"), pass_over)


def _model_of(event: Event) -> str:
    data = event.data if isinstance(event.data, dict) else {}
    if "kind" in event.extensions:
        with reading(f"the object in event {event.id}"):
            is_model = event.extensions["kind"] == "Model"
            return str(data["metadata"]["name"]) if is_model else label_of(data, MODEL_LABEL)
    return str(data.get("model", ""))


def _is_own_change(event: Event) -> bool:
    """Whether a Model has changed, but neither its wish nor, once it has a version, its spec.

    Each write of a status is such a change, and whoever wrote it goes on by itself.
    """
    if event.extensions.get("kind") != "Model":
        return False
    with reading(f"the object in event {event.id}"):
        try:
            slot = slot_from_status(event.data.get("status") or {})
        except NewerSchema:
            return True
        return not open_wish(event.data, slot) and (slot == Slot() or is_observed(event.data))


def _replay_end(platform: Platform) -> datetime:
    """When the call that begins now stops to ask predictors, hooks and Prometheus. A sweep has one such time
    for its pass over all Models, and a later one in `follow`."""
    return platform.clock.now() + REPLAY_TIME


def advance(name: str, until: datetime, platform: Platform, patience: float = 0.0) -> None:
    """Go on with the rollout of a Model until it waits for something. It asks nobody after `until`, and waits
    for what is due within `patience` seconds. Raises NotFound for no such Model, and NewerSchema if a wish,
    or a record, is left to a newer knoll."""
    for _ in range(_MOST_PASSES):
        # Before the slot: otherwise an old slot could overwrite what a newer one has asked for.
        isvc = find_isvc(name, platform)
        document = platform.cluster.get("Model", name)
        if not _make_pass(document, isvc, until, platform):
            waited = wait_until_due(document, patience, platform)
            if not waited:
                check_wish(document)  # all else is done by now
                return
            patience -= waited


def _make_pass(
    document: Document, live: Document | None, until: datetime, platform: Platform, refused: Refusals = _NONE
) -> bool:
    """One pass over a Model and the InferenceService that was read before it; whether another is needed. It
    asks until that time. `refused` is what `refusals` has found."""
    try:
        model = parse_model(document)
    except InvalidModel:
        return return_traffic(document, live, platform)
    if live is not None and not is_part(live, model.name):
        _LOG.warning("model %s: its InferenceService is not knoll's: rename the Model", model.name)
        return False
    slot = slot_from_status(document.get("status") or {})
    secret = key_secret(document, slot, served_version(slot), platform.settings)
    wanted, now = desired(model, slot, platform.settings, name_of(secret)), platform.clock.now()
    try:
        drop_unwanted(document, model, slot, platform.bucket)
        record_step(model.name, slot, platform)
        if note_edit(document, slot, live, wanted, platform) or put_off(document, slot, live, platform):
            return True
        is_edited = slot.steering.edit is not None
        if not is_edited and is_late(slot, wanted, live, now):
            # The time of a phase begins when the InferenceService is asked for it.
            write_slot(document, replace(slot, since=now.isoformat()), platform)
            return True
        isvc = live if is_edited else write_isvc(document, live, wanted, secret, platform)
        if slot != Slot() and not is_observed(document):
            write_slot(document, slot, platform)
            return True
        if slot.phase == "Idle":
            return _write_rest(document, model, slot, isvc, refused, until, platform)
        observed = see_version(slot, isvc, model.rollout.strategy, platform)
        return _take_step(document, model, slot, observed, until, platform)
    except (AlreadyExists, Conflict):
        return True


def _write_rest(
    document: Document,
    model: Model,
    slot: Slot,
    isvc: Document | None,
    refused: Refusals,
    until: datetime,
    platform: Platform,
) -> bool:
    """What is next while nothing is on trial; whether the slot was written."""
    if slot.champion and is_starting(isvc, platform.clock.now(), model.rollout.progress_deadline):
        return False  # its change, or the next tick, comes back here
    refusal = refused.get((newest_revision(isvc), slot.champion))
    after = with_asked(slot_at_rest(document, model, slot, isvc, refusal, until, platform), document)
    if after == slot:
        return False
    write_slot(document, after, platform)
    return True


def _take_step(
    document: Document, model: Model, slot: Slot, observed: Observed, until: datetime, platform: Platform
) -> bool:
    """Decide the next step of the trial and carry it out; whether another pass is needed."""
    keep_scraped(document, slot, until, platform)
    keep_crashes(model.name, slot, platform)
    counted = weighed(model, slot, platform.bucket)
    now = platform.clock.now()
    step = next_step(
        counted, model.rollout, observed, now, model.min_agreement, asks_approval=model.asks_approval
    )
    step, counted = amid_shortage(step, counted, observed, now.isoformat())
    step = without_edits(slot, unless_superseded(step, document, model, counted, platform))
    if (wish := known_wish(document, slot)) and not isinstance(step, Rollback):
        write_slot(document, steered(model, counted, wish, platform), platform)
        return True
    step, counted = ask_before_step(step, counted, model, document, until, platform)
    if isinstance(step, Compare):
        try:
            return write_compared_part(document, counted, step, observed, until, platform)
        except InvalidVersion as error:
            step = Rollback(str(error))
    if isinstance(step, Replay):
        try:
            return replay_part(document, model, counted, step, observed, until, platform)
        except InvalidVersion as error:
            step = Rollback(str(error))
            counted = replace(counted, fallen={**counted.fallen, slot.candidate: NOTHING_SEEN})
    after = slot_after(counted, step, now.isoformat())
    if after != slot:
        write_slot(document, after, platform)
    return not isinstance(step, NotYet)
