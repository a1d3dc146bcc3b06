"""How a lack of room changes the next step. Pure.

If there is no room for a version, that is no fault of the version. So when its time is over, another Revision
is created, and it is neither rolled back nor put into quarantine. Its waiting Pod does no harm, because the
champion has Pods of its own.
"""

from dataclasses import replace

from knoll.rollout.observed import Observed
from knoll.rollout.room import NoRoom, told_since
from knoll.rollout.slot import Slot
from knoll.rollout.steps import NotYet, Restore, Rollback, Settle, Shift, Step

__all__ = ["amid_shortage"]

_FREE = "it starts when other Pods have ended, or the cluster has grown"


def amid_shortage(step: Step, slot: Slot, observed: Observed, at: str) -> tuple[Step, Slot]:
    """The step at the time `at`, and the slot that says what is missing, if something is.

    With the strategy `resource` no traffic is taken from a champion that waits for its own start: the
    requests that wake it would wait for the version's end, and time out.
    """
    found = _lack(step, slot, observed)
    told = replace(slot, no_room=told_since(found, slot.no_room, at))
    if found is None:
        return step, told
    return Restore() if isinstance(step, Rollback) else NotYet(found.reason), told


def _lack(step: Step, slot: Slot, observed: Observed) -> NoRoom | None:
    """What is missing for the step, without its time; None for nothing."""
    if observed.champion_waits and isinstance(step, Shift | Settle):
        reason = f"requests wait for {slot.champion} to start, and with the strategy resource they come first"
        fix = f"{slot.candidate} gets its traffic when {slot.champion} has had no requests for a while"
        return NoRoom(slot.candidate, reason, fix, "")
    if slot.phase != "Deploying" or not isinstance(step, NotYet | Rollback):
        return None
    if observed.has_no_room:
        return NoRoom(slot.candidate, observed.trouble, _FREE, "")
    return slot.no_room if observed.gave_up else None
