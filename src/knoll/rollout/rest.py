"""What is next while no version is on trial: a look at the champion, memory, a wish, or a new version."""

import logging
from dataclasses import replace
from datetime import datetime

from knoll.errors import Forbidden
from knoll.models import Model
from knoll.ports import Document, Platform
from knoll.rollout.base import may_serve_alone
from knoll.rollout.candidates import next_candidate, without_undone
from knoll.rollout.champion import numbered, slot_checked
from knoll.rollout.consent import ask_before_start
from knoll.rollout.memory import slot_from_records
from knoll.rollout.moves import slot_after_reject, with_hold_checked, with_signatures_allowed
from knoll.rollout.quarantine import with_times
from knoll.rollout.room import find_no_room, told_since
from knoll.rollout.slot import Slot
from knoll.rollout.steer import steered
from knoll.rollout.superseded import asked_run
from knoll.rollout.trial import judged
from knoll.rollout.wishes import known_wish
from knoll.rollout.world import find_base, find_pods

__all__ = ["slot_at_rest"]

_LOG = logging.getLogger(__name__)


def slot_at_rest(
    document: Document,
    model: Model,
    slot: Slot,
    isvc: Document | None,
    refusal: str | None,
    until: datetime,
    platform: Platform,
) -> Slot:
    """The slot after the first thing that is next; the same slot if nothing is. `refusal` is what the
    champion's predictor says if it refuses its files, else None.

    While somebody else's change of the InferenceService is in force, a damaged champion gives way, wishes are
    answered, and nothing begins. A version that may not serve alone waits for the champion. No
    hook is asked after `until`.
    """
    bucket, keys = platform.bucket, platform.settings.verify_key
    if (checked := slot_checked(model.name, slot, refusal, platform)) != slot:
        return checked
    if slot == Slot() and (before := slot_from_records(model.name, bucket, keys)) != slot:
        return before
    if wish := known_wish(document, slot):
        return steered(model, slot, wish, platform)
    if slot.steering.edit:
        return slot
    if (timed := with_times(slot, model.rollout, platform.clock.now())) != slot:
        return timed
    asked = asked_run(document)
    if (free := without_undone(slot, asked, bucket)) != slot:
        return free
    if model.rollout.allow_signature_change:
        slot = with_signatures_allowed(slot)
    version = next_candidate(model, slot, asked, platform)
    slot = with_hold_checked(slot, version, model.min_agreement, asks_approval=model.asks_approval)
    if not version or slot.held:
        return _without_waits(slot)
    if not may_serve_alone(slot, version) and find_base(isvc, platform) != slot.champion:
        return slot
    return _begun(document, model, slot, version, until, platform)


def _begun(
    document: Document, model: Model, slot: Slot, version: str, until: datetime, platform: Platform
) -> Slot:
    """The slot after the gate, the quotas and the hooks were asked about the version: its trial begins, or it
    waits, or it is refused."""
    begun = _with_room(model, slot, judged(model, slot, version, platform), platform)
    if begun.phase == "Idle":
        return begun if begun.no_room else _without_waits(begun)
    why, waiting, is_over = ask_before_start(slot, begun, model, document, until, platform)
    if is_over:
        refused = slot_after_reject(_without_waits(slot), version, why, platform.clock.now().isoformat())
        return numbered(model.name, refused, platform.bucket)
    return replace(waiting, no_room=None) if why else begun


def _without_waits(slot: Slot) -> Slot:
    """The slot in which nothing waits for room or for hooks."""
    return replace(slot, no_room=None, hooked=slot.hooked.about_to(""))


def _with_room(model: Model, slot: Slot, begun: Slot, platform: Platform) -> Slot:
    """The slot `begun`, whose trial begins if the gate has passed the version; the slot before, with what is
    missing, if there is no room for the version."""
    if begun.phase == "Idle":
        return replace(begun, no_room=None)
    champion = slot.champion
    pods = find_pods(model.name, champion, platform) if champion else []
    found = find_no_room(model, begun.candidate, champion, pods, _find_quotas(platform))
    if found is None:
        return replace(begun, no_room=None)
    return replace(slot, no_room=told_since(found, slot.no_room, platform.clock.now().isoformat()))


def _find_quotas(platform: Platform) -> list[Document]:
    """The quotas of the namespace; none if an older Role does not let knoll read them."""
    try:
        return platform.cluster.list("ResourceQuota")
    except Forbidden as error:
        _LOG.warning("no quota is looked at: %s", error)
        return []
