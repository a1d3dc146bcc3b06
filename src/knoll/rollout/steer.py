"""Wishes of humans, carried out: the slot that follows from one. Only reads are done here."""

from dataclasses import replace

from knoll.errors import NewerSchema, NotFound, Rejected
from knoll.models import Model
from knoll.ports import Platform
from knoll.records.manifest import find_sealed
from knoll.rollout.candidates import was_promoted
from knoll.rollout.champion import numbered
from knoll.rollout.integrity import pin_of
from knoll.rollout.moves import returned, slot_after_reject
from knoll.rollout.slot import Cause, Slot
from knoll.rollout.trial import begun, judged, why_not_whole
from knoll.rollout.wish_answers import (
    AT_START,
    PUT_BACK,
    TRIED,
    as_wished,
    granted,
    refused,
    undone_by,
    why_refused,
)
from knoll.rollout.wishes import Wish

__all__ = ["steered"]


def steered(model: Model, slot: Slot, wish: Wish, platform: Platform) -> Slot:
    """The slot after a wish, which is granted or refused; with the transition that records it."""
    at, why = platform.clock.now().isoformat(), why_refused(wish, slot)
    if not why and wish.version:
        why = _why_missing(model.name, wish.version, platform)
    if not why and wish.verb in TRIED:
        return _with_trial(model, slot, wish, platform)
    if not why and wish.verb in AT_START and slot.phase == "Idle":
        return _at_start(model, slot, wish, platform)
    if why:
        return _refused(model, slot, wish, why, platform)
    return _recorded(model, slot, granted(slot, wish, model.rollout, at), platform)


def _refused(model: Model, slot: Slot, wish: Wish, why: str, platform: Platform) -> Slot:
    return _recorded(model, slot, refused(slot, wish, why, platform.clock.now().isoformat()), platform)


def _recorded(model: Model, slot: Slot, after: Slot, platform: Platform) -> Slot:
    """The slot with a number for its last decision, if it has a new one: before the first version a refusal
    has none."""
    return after if after.transition == slot.transition else numbered(model.name, after, platform.bucket)


def _why_missing(model: str, version: str, platform: Platform) -> str:
    """Why there is no such version for this knoll; "" if there is one. What is spoilt is there."""
    try:
        is_there = find_sealed(model, version, platform.bucket) is not None
    except NewerSchema as error:
        return str(error)
    except Rejected:
        is_there = True
    return "" if is_there else f"there is no version {version}; knoll versions {model} lists them"


def _with_trial(model: Model, slot: Slot, wish: Wish, platform: Platform) -> Slot:
    """The slot after `undo` or `retry`. The version that gives way does not come right back; and who undoes,
    approves of the version that returns."""
    version = wish.version or slot.previous
    try:
        if fault := _why_not_again(model, slot, wish.verb, version, platform):
            return _refused(model, slot, wish, fault, platform)
        if wish.verb == "undo":
            why = f"undone by {wish.by}: {slot.champion or 'nothing'} is replaced"
            after = begun(model, slot, version, platform, why)
        else:
            after = judged(model, returned(slot, version), version, platform)
    except NotFound as error:
        return _refused(model, slot, wish, str(error), platform)
    told = _told(after, wish, "refused again", f"tried again by {wish.by}: " if wish.verb == "retry" else "")
    if told.steering.handled.is_refused:
        return told
    approved = {**told.steering.approved, **({version: wish.by} if wish.verb == "undo" else {})}
    steering = replace(told.steering, undone=undone_by(slot, version), approved=approved)
    return replace(told, steering=steering)


def _at_start(model: Model, slot: Slot, wish: Wish, platform: Platform) -> Slot:
    """The slot after a wish about the version whose start waits for a hook: its trial begins without the
    hook, or it is refused."""
    version, at = slot.hooked.starts, platform.clock.now().isoformat()
    if wish.verb == "abort":
        pin = pin_of(model.name, version, platform.bucket)
        has_served = was_promoted(model.name, version, pin, platform.bucket)
        cause: Cause = "aborted" if has_served else ""
        after = slot_after_reject(slot, version, f"aborted by {wish.by}", at, cause)
        return as_wished(numbered(model.name, after, platform.bucket), wish, f"aborted by {wish.by}")
    try:
        after = judged(model, slot, version, platform)
    except NotFound as error:
        return _refused(model, slot, wish, str(error), platform)
    told = _told(after, wish, "refused", f"promoted by {wish.by}, whatever its hook says: ")
    return told if told.steering.handled.is_refused else told.detailed(cause="hooks")


def _told(after: Slot, wish: Wish, refused_words: str, by_whom: str) -> Slot:
    """The slot after a look at the version of a wish, with the answer: the gate refuses it, or its reason is
    led by who wanted it."""
    made = after.transition
    assert made is not None
    if made.action == "Reject":
        return as_wished(after, wish, f"{made.version} is {refused_words}: {made.reason}", is_refused=True)
    reason = by_whom + made.reason
    return as_wished(after.detailed(reason=reason), wish, reason)


def _why_not_again(model: Model, slot: Slot, verb: str, version: str, platform: Platform) -> str:
    """Why a version may not be tried, by its files and its past; "" if it may. `undo` goes only to a version
    that has been the champion: it asks for no approval."""
    if fault := why_not_whole(model, slot, version, platform):
        return f"{fault}; {PUT_BACK}" if version in slot.fallen else fault
    if verb != "undo" or version == slot.previous:
        return ""
    pin = slot.pins.get(version) or pin_of(model.name, version, platform.bucket)
    if was_promoted(model.name, version, pin, platform.bucket):
        return ""
    if slot.held and slot.held.version == version:
        return f"{version} waits for approval; knoll rollout approve {model.name} {version} gives it"
    return f"{version} has never been the champion, and undo goes back only to one that was"
