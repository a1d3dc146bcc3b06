"""The time at which a rollout goes on without an event, and a short wait for that time.

A tick may be a minute away. So if something is due within seconds, the call of the function waits for it: at
most one call for each process and Model. The sweep does what is due later (`knoll.rollout.follow`).
"""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

from knoll.models import RolloutSpec, readable_models
from knoll.ports import Document, Platform
from knoll.rollout.decide import IDLE, QUIET, STEP_BACK
from knoll.rollout.hooks import ROLLBACK_PAUSE, hooks_of
from knoll.rollout.slot import Slot, slot_from_status

__all__ = ["LONGEST_WAIT", "due_at", "due_of", "wait_until_due"]

LONGEST_WAIT = 5.0  # seconds, of one call: whoever published the event may wait for its end
_GRAIN = timedelta(milliseconds=1)  # a deadline is over when it is behind


class _WaitingCalls:
    """The Models for which a call of this process waits."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.names: set[str] = set()


def due_at(slot: Slot, policy: RolloutSpec, now: datetime) -> datetime | None:
    """When the rollout in the slot goes on without an event, or a hook is asked again: the first such time
    after `now`, or else one that has passed. None if there is none."""
    dues = [due for due in (_due_of_phase(slot, policy), *_dues_of_hooks(slot, policy)) if due]
    later = [due for due in dues if due > now]
    return min(later or dues, default=None)


def _dues_of_hooks(slot: Slot, policy: RolloutSpec) -> Iterator[datetime]:
    """When hooks are asked again."""
    if slot.phase not in ("Deploying", "Canary", "Baking"):
        return
    if slot.hooked.due:
        yield slot.hooked.due + _GRAIN
    if slot.hooked.rollback_at and hooks_of("rollback", policy.hooks):
        yield datetime.fromisoformat(slot.hooked.rollback_at) + ROLLBACK_PAUSE + _GRAIN


def _due_of_phase(slot: Slot, policy: RolloutSpec) -> datetime | None:
    is_held = bool(slot.steering.paused) and slot.phase in ("Canary", "Baking")
    if is_held or slot.steering.edit or not slot.since:
        return None
    match slot.phase:
        case "RollingBack" if slot.steps_back:
            since, seconds = slot.since, STEP_BACK.total_seconds()
        case "Baking" if slot.seen:
            since, seconds = slot.seen, policy.bake
        case "Deploying" | "Baking" | "RollingBack":
            since, seconds = slot.since, policy.progress_deadline
        case "Canary" if slot.seen and policy.idle == "replay":
            since, seconds = slot.seen, QUIET.total_seconds()
        case "Canary" if slot.seen and policy.idle == "promote":
            since, seconds = slot.seen, IDLE.total_seconds()
        case _:
            return None
    return datetime.fromisoformat(since) + timedelta(seconds=seconds) + _GRAIN


def due_of(document: Document, now: datetime) -> datetime | None:
    """The same of a Model's document; None also if the Model has faults."""
    slot = slot_from_status(document.get("status") or {})
    return next((due_at(slot, one.rollout, now) for one in readable_models([document])), None)


def wait_until_due(document: Document, seconds: float, platform: Platform) -> float:
    """Wait until the rollout of the Model is due, if that is within so many seconds; how long this waited. It
    does not wait if that time is over, or if another call waits for the Model."""
    now = platform.clock.now()
    due = due_of(document, now)
    left = (due - now).total_seconds() if due else 0.0
    name, waiting = document["metadata"]["name"], platform.caches.of(_WaitingCalls)
    if not 0 < left <= seconds + _GRAIN.total_seconds():
        return 0.0
    with waiting.lock:
        if name in waiting.names:
            return 0.0
        waiting.names.add(name)
    try:
        platform.clock.wait(left)
    finally:
        waiting.names.discard(name)
    return left
