"""The base of a trial: the version with which KServe shares the candidate's traffic. Pure.

KServe (0.19, `createKnativeService`) shares traffic only with a Revision that was rolled out: that had all of
it once. Without one it gives the newest ready Revision everything, whatever percentage is asked for. So an
InferenceService that somebody deletes in the midst of a trial must not come back with the candidate.
"""

from dataclasses import replace

from knoll.rollout.slot import Slot

__all__ = ["may_serve_alone", "needs_base", "slot_without_trial"]


def needs_base(slot: Slot) -> bool:
    """Whether the slot gives a part of the traffic to a version that must not get all of it yet."""
    is_shared = slot.phase in ("Deploying", "Canary") and slot.percent < 100
    return is_shared and slot.steering.edit is None and not may_serve_alone(slot, slot.candidate)


def may_serve_alone(slot: Slot, version: str) -> bool:
    """Whether the version may get all traffic if nothing else serves: there is no champion, or that is
    damaged; or the version was the champion before, or a human has approved of it."""
    return not slot.champion or bool(slot.damage) or slot.is_approved(version)


def slot_without_trial(slot: Slot, base: str, at: str) -> Slot:
    """The slot with its trial put off, because `base` ("" for none) is not its champion. The candidate is
    tried again when the champion serves."""
    who = f"{base} has it" if base else "nothing has it"
    reason = f"{slot.champion} has no traffic to share any more, {who}; {slot.candidate} is tried later"
    after = slot.moved("Withdraw", at, reason, phase="Idle", percent=0)
    return replace(after, candidate="", percent=100)
