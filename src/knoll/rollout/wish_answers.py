"""What follows from a wish: why it is refused, or the slot after it. Pure."""

from dataclasses import replace
from typing import get_args

from knoll.models import RolloutSpec
from knoll.names import VERSION_NAME, version_number
from knoll.rollout.decide import next_traffic
from knoll.rollout.moves import slot_after, slot_after_reject
from knoll.rollout.quarantine import why_unfit
from knoll.rollout.slot import Cause, Slot
from knoll.rollout.steering import Handled
from knoll.rollout.steps import Promote, Rollback
from knoll.rollout.wishes import Verb, Wish

__all__ = ["AT_START", "PUT_BACK", "TRIED", "as_wished", "granted", "refused", "undone_by", "why_refused"]

PUT_BACK = "put the files back; then it returns by itself"
TRIED = ("undo", "retry")  # they begin a trial
AT_START = ("promote", "abort")  # also of a version whose start waits for a hook
_OF_A_TRIAL = ("pause", "resume", "promote", "abort")


def why_refused(wish: Wish, slot: Slot) -> str:
    """Why the wish cannot be granted as things stand, in words; "" if it may be. The files of a version are
    not looked at."""
    if wish.verb not in get_args(Verb):
        return "the wish cannot be read: knoll rollout --help lists the verbs"
    if wish.verb == "resume" and slot.steering.edit:
        return ""
    if wish.verb in _OF_A_TRIAL:
        return _why_not_on_trial(wish, slot) or _why_not_now(wish, slot)
    if wish.verb in TRIED:
        return _why_not_tried(wish, slot)
    if not VERSION_NAME.fullmatch(wish.version):
        return f"{wish.version or 'nothing'} is no version"
    if wish.version in slot.quarantine:
        return _in_quarantine(slot, wish.version)
    if wish.verb == "reject":
        return _why_not_rejected(slot, wish.version)
    if wish.version == slot.champion:
        return f"{wish.version} serves already"
    return f"{wish.version} is approved already" if wish.version in slot.steering.approved else ""


def granted(slot: Slot, wish: Wish, policy: RolloutSpec, at: str) -> Slot:
    """The slot after a wish that begins no trial; its number may be taken."""
    by, version = wish.by, slot.candidate
    match wish.verb:
        case "pause":
            held = replace(slot, steering=slot.steering.with_pause(by, at))
            after = held.noted("Pause", at, f"paused at {slot.percent} % by {by}", version)
        case "resume":
            after = _resumed(slot, by, at)
        case "abort":
            cause: Cause = "aborted" if version == slot.proven else ""
            after = slot_after(slot, Rollback(f"aborted by {by}", cause), at)
        case "promote":
            after = _promoted(slot, wish, policy, at)
        case "reject":
            after = _rejected(slot, wish, at)
        case _:
            approved = {**slot.steering.approved, wish.version: by}
            waits = slot.held if slot.held and slot.held.version != wish.version else None
            known = replace(slot, held=waits, steering=replace(slot.steering, approved=approved))
            after = known.noted("Approve", at, f"{wish.version} approved by {by}", version or wish.version)
    assert after.transition is not None
    return as_wished(after, wish, after.transition.reason)


def refused(slot: Slot, wish: Wish, why: str, at: str) -> Slot:
    """The slot after a refusal. It is recorded with the version that is on trial, serves, or was tried last;
    before the first version only the slot says it."""
    last = slot.transition.version if slot.transition else ""
    version = slot.candidate or slot.champion or last
    if not version:
        return replace(slot, steering=replace(slot.steering, handled=Handled(wish.id, why, is_refused=True)))
    asked = f"asked to {wish.words}" if wish.words else "left a wish"
    reason = f"{wish.by or 'somebody'} {asked}; refused: {why}"
    return as_wished(slot.noted("Refuse", at, reason, version), wish, why, is_refused=True)


def as_wished(slot: Slot, wish: Wish, answer: str, *, is_refused: bool = False) -> Slot:
    """The slot whose last transition was made for this wish, which is handled with it."""
    assert slot.transition is not None
    told = replace(slot.transition, wish=wish.id, by=wish.by)
    handled = Handled(wish.id, answer, is_refused)
    return replace(slot, transition=told, steering=replace(slot.steering, handled=handled))


def undone_by(slot: Slot, version: str) -> str:
    """The version that must not come back at once if a human lets `version` take the champion's place: the
    newest of those that humans have replaced. It is never `version` itself."""
    known = [one for one in (slot.champion, slot.steering.undone) if one not in ("", version)]
    newest = max(known, key=version_number, default="")
    is_newer = newest and version_number(version) > version_number(newest)
    return slot.champion if is_newer else newest


def _why_not_on_trial(wish: Wish, slot: Slot) -> str:
    if slot.phase == "Idle":
        return _why_not_started(wish, slot)
    if wish.version not in ("", slot.candidate):
        return f"{slot.candidate} is on trial, not {wish.version}"
    return f"{slot.candidate} is being rolled back" if slot.phase == "RollingBack" else ""


def _why_not_started(wish: Wish, slot: Slot) -> str:
    """Before its trial, a version whose start waits for a hook may be promoted or aborted."""
    starts = slot.hooked.starts
    if not starts or wish.verb not in AT_START:
        return "no version is on trial"
    if wish.version not in ("", starts):
        return f"{starts} waits for a hook, not {wish.version}"
    return f"{starts} has had no traffic yet; without --full its trial begins" if wish.is_full else ""


def _why_not_now(wish: Wish, slot: Slot) -> str:
    if wish.verb == "pause" and slot.steering.paused:
        return f"it is paused already, by {slot.steering.paused}"
    if wish.verb == "resume" and not slot.steering.paused:
        return "it is not paused"
    if wish.verb == "promote" and slot.steering.edit:
        return _while_edited(slot)
    if wish.verb == "promote" and slot.phase == "Deploying":
        return f"{slot.candidate} has had no traffic yet"
    if wish.verb == "promote" and wish.is_full and slot.phase == "Baking":
        return f"{slot.candidate} has all traffic already; without --full its bake ends now"
    return ""


def _why_not_tried(wish: Wish, slot: Slot) -> str:
    version = wish.version or (slot.previous if wish.verb == "undo" else "")
    if slot.steering.edit:
        return _while_edited(slot)
    if slot.phase != "Idle":
        return f"{slot.candidate} is on trial; knoll rollout abort ends its trial"
    if not VERSION_NAME.fullmatch(version):
        return f"{version} is no version" if version else "no version served before"
    if version == slot.champion:
        return f"{version} serves already"
    is_refused = version in slot.quarantine
    if wish.verb == "undo" and why_unfit(slot, version):
        return _in_quarantine(slot, version)
    return "" if is_refused or wish.verb == "undo" else f"{version} is not in quarantine"


def _why_not_rejected(slot: Slot, version: str) -> str:
    if version == slot.champion:
        return f"{version} serves; knoll rollout undo brings the version before it back"
    if slot.candidate in ("", version):
        return ""
    return f"{slot.candidate} is {'being rolled back' if slot.phase == 'RollingBack' else 'on trial'}"


def _rejected(slot: Slot, wish: Wish, at: str) -> Slot:
    """The slot after a human's verdict on a version that is on trial, waits, or is still to be tried. One
    that is being rolled back goes on to be."""
    version, because = wish.version, f": {wish.because}" if wish.because else ""
    reason = f"rejected by {wish.by}{because}"
    if slot.candidate != version:
        return slot_after_reject(slot, version, reason, at)
    if slot.phase != "RollingBack":
        return slot_after(slot, Rollback(reason), at)
    return replace(slot.noted("Reject", at, reason, version), held=None).barred(version, reason)


def _in_quarantine(slot: Slot, version: str) -> str:
    ends = PUT_BACK if version in slot.fallen else "knoll rollout retry lifts that"
    return f"{version} is in quarantine: {slot.quarantine[version]}; {ends}"


def _while_edited(slot: Slot) -> str:
    assert slot.steering.edit is not None
    words = slot.steering.edit.words
    return f"{words} of the InferenceService was changed; knoll rollout resume undoes that"


def _resumed(slot: Slot, by: str, at: str) -> Slot:
    """The slot without the pause, and without regard to what was changed in the InferenceService."""
    steering, edit = slot.steering, slot.steering.edit
    after = replace(slot, steering=steering.with_pause().without_edit())
    reason = f"resumed at {slot.percent} % by {by}"
    if edit:
        back = f"the change of {edit.words} is undone"
        reason = f"{reason}; {back}" if steering.paused else f"{back} by {by}"
    action = "Resume" if steering.paused else "Unedit"
    return after.noted(action, at, reason, slot.candidate or slot.champion)


def _promoted(slot: Slot, wish: Wish, policy: RolloutSpec, at: str) -> Slot:
    """The slot in the next step, where a pause goes on, or after the bake."""
    counts = slot.evidence.counts
    reason = f"promoted by {wish.by}: {counts.requests} requests, {counts.errors} failed in all"
    if slot.phase == "Baking":
        return slot_after(slot, Promote(reason, final=True), at)
    reason += f"; it stays paused, by {slot.steering.paused}" if slot.steering.paused else ""
    step = Promote(reason, final=False) if wish.is_full else next_traffic(slot, policy, reason)
    return replace(slot_after(slot, step, at), steering=slot.steering)
