"""The slot after a decision. Pure."""

from dataclasses import replace

from knoll.rollout.comparison import Held
from knoll.rollout.counted import Evidence, Total
from knoll.rollout.evidence.one_sample import OneSample
from knoll.rollout.quarantine import why_unfit
from knoll.rollout.slot import Cause, Slot
from knoll.rollout.steps import (
    GiveUp,
    HoldBack,
    Promote,
    Restore,
    Rollback,
    Settle,
    Shift,
    Step,
    SteppedBack,
    TrafficSeen,
)

__all__ = [
    "returned",
    "slot_after",
    "slot_after_damage",
    "slot_after_hold",
    "slot_after_mend",
    "slot_after_reject",
    "slot_after_start",
    "with_hold_checked",
    "with_signatures_allowed",
]


def slot_after_start(
    slot: Slot,
    version: str,
    pin: str,
    signer: str,
    earlier: Total,
    at: str,
    *,
    change: str = "",
    is_proven: bool = False,
) -> Slot:
    """The slot when the trial of a version begins. `pin` is the sha256 of its manifest, `signer` the id of
    the key that has signed it, `earlier` what is reported on it so far, and `change` how its signature
    differs from the champion's. If it `is_proven`, it needs no approval. Beside a champion a version gets no
    traffic before its answers are compared."""
    percent, evidence = 0 if slot.champion else 100, Evidence(earlier=earlier)
    proven = version if is_proven else ""
    cleared = replace(slot, evidence=evidence, judgement=None, comparison=None, held=None, proven=proven)
    return cleared.moved(
        "Start",
        at,
        f"the gate is passed, and it is allowed that {change}" if change else "the gate is passed",
        candidate=version,
        phase="Deploying",
        step=0,
        percent=percent,
        attempt=0,
        pins={**slot.pins, version: pin},
        signers={**slot.signers, **({version: signer} if signer else {})},
    )


def slot_after_reject(slot: Slot, version: str, reason: str, at: str, cause: Cause = "") -> Slot:
    """The slot when the gate refuses a version."""
    clean = replace(slot, evidence=Evidence())  # what is counted is of the version before
    refused = clean.moved("Reject", at, reason, candidate=version, percent=0).detailed(cause=cause)
    return replace(refused, candidate="", held=None).barred(version, reason, cause)


def slot_after_hold(slot: Slot, version: str, reason: str, at: str) -> Slot:
    """The slot when a version that may be tried waits for approval before it starts."""
    return replace(slot.noted("Hold", at, reason, version, Evidence()), held=Held(version, reason, at))


def slot_after_damage(slot: Slot, fault: str, of_previous: str, at: str) -> Slot:
    """The slot when the champion no longer matches its pin; `of_previous` is what is wrong with the version
    before it. That version serves again, if it may.
    """
    champion, previous = slot.champion, slot.previous
    refused = why_unfit(slot, previous) or of_previous
    if previous and not refused:
        back = slot.moved("Fallback", at, fault, candidate=champion, phase="RollingBack", percent=0)
        after = replace(back, champion=previous, previous="", damage="", listing="", attempt=0, held=None)
        after = replace(returned(after, previous), steering=after.steering.without_undone(champion))
        after = replace(after, fallen={**slot.fallen, champion: slot.listing}).barred(champion, fault)
    else:
        why = f"{previous} cannot take its place: {refused}" if previous else "there is no version before it"
        damage = f"{fault}; {why}"
        held = slot.moved("Damage", at, damage, candidate=champion)
        after = replace(held, candidate=slot.candidate, damage=damage)
        if previous and not why_unfit(slot, previous):
            after = after.barred(previous, refused)
    return after


def slot_after_mend(slot: Slot, at: str) -> Slot:
    """The slot when the damaged champion matches its pin again."""
    clean = replace(slot, damage="")
    return clean.noted("Mend", at, "its files are as pinned again", slot.champion, Evidence())


def returned(slot: Slot, version: str) -> Slot:
    """The slot when a version that was replaced because of damage matches its pin again: it may be tried like
    a new one."""
    quarantine = {name: why for name, why in slot.quarantine.items() if name != version}
    fallen = {name: listing for name, listing in slot.fallen.items() if name != version}
    return replace(slot, quarantine=quarantine, fallen=fallen)


def with_hold_checked(slot: Slot, version: str, min_agreement: float, *, asks_approval: bool = False) -> Slot:
    """The slot when `version` is to be tried next. No other version waits for approval any more, and this one
    does not if it is approved, or if the gate now asks for less."""
    held, found = slot.held, slot.comparison
    if held is None:
        return slot
    is_known = found is not None and found.version == version
    is_short = found.falls_short(min_agreement) if found and is_known else bool(slot.champion)
    waits = held.version == version and (asks_approval or is_short) and not slot.is_approved(version)
    return slot if waits else replace(slot, held=None)


def with_signatures_allowed(slot: Slot) -> Slot:
    """The slot when other signatures are allowed: a version that was refused for its own may be tried."""
    quarantine = {name: why for name, why in slot.quarantine.items() if slot.causes.get(name) != "signature"}
    return replace(slot, quarantine=quarantine)


def slot_after(slot: Slot, step: Step, at: str) -> Slot:
    """The slot after a step of the trial; the same slot for a step that changes nothing by itself."""
    match step:
        case TrafficSeen():
            return replace(slot, seen=at, evidence=slot.evidence.in_new_step())
        case Shift():
            return _shifted(slot, step, at)
        case Promote(reason, final=False):
            baking = slot.moved("Bake", at, reason, phase="Baking", percent=100)
            judged = slot.judgement
            return replace(
                baking,
                judgement=judged and replace(judged, suspicion=OneSample(), refusal_suspicion=OneSample()),
            )
        case Promote(reason, final=True):
            promoted = slot.moved("Promote", at, reason, phase="Idle", percent=100)
            return replace(
                promoted, champion=slot.candidate, previous=slot.champion, candidate="", damage="", listing=""
            )
        case Rollback(reason, cause):
            back = _rolling_back(slot, "Rollback", reason, at)
            return back.detailed(cause=cause).barred(slot.candidate, reason, cause)
        case GiveUp(reason):
            return _rolling_back(slot, "Withdraw", reason, at)
        case HoldBack(reason):
            back = slot.moved("Hold", at, reason, phase="RollingBack", percent=0)
            return replace(back, held=Held(slot.candidate, reason, at))
        case SteppedBack():
            return replace(slot, steps_back=False)
        case Restore():
            return replace(slot, attempt=slot.attempt + 1, since=at)
        case Settle():
            return replace(slot, phase="Idle", candidate="", percent=100 if slot.champion else 0, since=at)
    return slot


def _rolling_back(slot: Slot, action: str, reason: str, at: str) -> Slot:
    """The slot when the champion takes the traffic back; in a bake, the candidate gives it up first."""
    has_all = slot.phase == "Baking" and bool(slot.champion)
    return slot.moved(action, at, reason, phase="RollingBack", percent=0, steps_back=has_all)


def _shifted(slot: Slot, step: Shift, at: str) -> Slot:
    """The slot with another percentage. After all traffic the judgement begins anew, and a pause goes on."""
    told = {"phase": "Canary", "step": step.step, "percent": step.percent}
    evidence = slot.evidence.in_new_step()
    if slot.percent < 100:
        return slot.moved("Shift", at, step.reason, **told, evidence=evidence)
    evidence = replace(evidence, suspicions=evidence.suspicions + (slot.phase == "Baking"))
    moved = slot.moved("Shift", at, step.reason, **told, evidence=evidence)
    steering = moved.steering.with_pause(slot.steering.paused, slot.steering.paused_at)
    return replace(moved, judgement=None, steering=steering)
