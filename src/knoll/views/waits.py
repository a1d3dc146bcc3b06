"""What a rollout waits for, from the slot and the policy alone."""

from dataclasses import replace

from knoll.models import RolloutSpec
from knoll.rollout.comparison import Held
from knoll.rollout.hooks import Hooked
from knoll.rollout.room import NoRoom
from knoll.rollout.slot import Slot
from knoll.rollout.steering import Edit, Steering
from knoll.rollout.weighed import missing
from knoll.waits import Wait, timed_wait

__all__ = ["approval_wait", "edit_wait", "hook_wait", "pause_wait", "rollout_wait", "room_wait"]


def rollout_wait(slot: Slot, policy: RolloutSpec) -> Wait | None:
    """What the rollout in the slot waits for, unless somebody has paused it (see `pause_wait`); None if no
    version is on trial."""
    match slot.phase:
        case "Deploying" if slot.compared:
            return _answers(slot, policy)
        case "Deploying":
            ends = f"at {{until}} {slot.candidate} is rolled back"
            what = f"{slot.candidate} to load, verify and answer its warm-up"
            return timed_wait(what, ends, slot.since, policy.progress_deadline)
        case "Canary" | "Baking" if not slot.seen:
            return Wait(f"{slot.percent} % of the traffic to reach {slot.candidate}", slot.since)
        case "Canary":
            return _requests(slot, policy)
        case "Baking":
            ends = f"at {{until}} {slot.candidate} becomes the champion"
            return timed_wait("the bake at 100 %", ends, slot.seen, policy.bake)
        case "RollingBack" if slot.is_stepping_back:
            return Wait(f"{slot.champion} to get the traffic back", slot.since)
        case "RollingBack":
            ends = "at {until} another Revision is asked for"
            return timed_wait(
                f"{slot.champion} to be ready again", ends, slot.since, policy.progress_deadline
            )
    return None


def approval_wait(model: str, held: Held) -> Wait:
    """That a version of the model waits for approval."""
    ends = f"knoll rollout approve {model} {held.version}"
    return Wait(f"approval of {held.version}, which {held.reason}", held.since, ends, 0, 1)


def edit_wait(model: str, edit: Edit) -> Wait:
    """That somebody else has changed the InferenceService of the model."""
    ends = f"knoll rollout resume {model} undoes the change; to keep it, make it in the Model"
    return Wait(f"a human: {edit.told}", edit.at, ends)


def room_wait(found: NoRoom) -> Wait:
    """That a version waits for room."""
    return Wait(f"room for {found.version}: {found.reason}", found.since, found.fix)


def hook_wait(hooked: Hooked) -> Wait | None:
    """That a hook does not agree; None if none is waited for."""
    if hooked.due is None:
        return None
    ends = f"it is asked again from {hooked.due:%H:%M:%S} on; knoll rollout promote goes on without it"
    return Wait(f"a yes: {hooked.said}", hooked.at, ends, until=hooked.due.isoformat())


def pause_wait(steering: Steering, percent: int) -> Wait | None:
    """That somebody has paused the rollout at that percentage; None if nobody has."""
    ends = f"{steering.paused} has paused it; knoll rollout resume goes on"
    return Wait(f"a human, at {percent} %", steering.paused_at, ends) if steering.paused else None


def _answers(slot: Slot, policy: RolloutSpec) -> Wait:
    found = slot.compared
    assert found is not None
    what = f"{slot.candidate} to answer the samples of {slot.champion}, {found.asked} of {found.samples}"
    ends = f"at {{until}} {slot.candidate} is rolled back"
    wait = timed_wait(what, ends, found.since, policy.progress_deadline)
    return replace(wait, have=found.asked, need=found.samples)


def _requests(slot: Slot, policy: RolloutSpec) -> Wait:
    counts, (needed, what) = slot.evidence.counts, missing(slot, policy)
    if what and not needed:
        return Wait(what, slot.seen)  # answers that have shifted wait for a human
    refused = f" ({counts.refused} refused)" if counts.refused else ""
    what_is_sent = "recorded requests or held-out samples" if policy.recorded else "held-out samples"
    ends = {
        "hold": "idle: hold waits for traffic",
        "replay": f"idle: replay sends {what_is_sent} when no requests come",
        "promote": "idle: promote goes on after a minute without any request",
    }
    have = counts.in_step
    told = what or f"{have} of {policy.min_requests} requests at {slot.percent} %"
    return Wait(f"{told}{refused}", slot.seen, ends[policy.idle], have, have + needed)
