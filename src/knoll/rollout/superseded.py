"""A trial ends early if the data or the config has moved on, and the version that they ask for is there."""

from dataclasses import replace

from knoll.models import Model
from knoll.ports import Document, Platform
from knoll.rollout.candidates import may_be_tried, version_of_run
from knoll.rollout.slot import Slot
from knoll.rollout.steps import GiveUp, HoldBack, Rollback, Step

__all__ = ["asked_run", "unless_superseded", "with_asked"]

_ENDS = (GiveUp, HoldBack, Rollback)


def asked_run(document: Document) -> str:
    """The run that data and config ask for; "" if that is not known."""
    return str(((document.get("status") or {}).get("dataset") or {}).get("run") or "")


def with_asked(slot: Slot, document: Document) -> Slot:
    """The slot after a look at rest. If a trial has begun, it knows what was asked for by then."""
    return slot if slot.phase == "Idle" else replace(slot, asked=asked_run(document))


def unless_superseded(step: Step, document: Document, model: Model, slot: Slot, platform: Platform) -> Step:
    """The step, or the end of the trial if another version than the candidate is asked for since it began. A
    version that is refused, undone, or still trained ends no trial; and a trial that is paused waits."""
    asked = asked_run(document)
    is_open = slot.phase in ("Deploying", "Canary", "Baking") and slot.champion and not slot.steering.paused
    if not is_open or isinstance(step, _ENDS) or not asked or asked == (slot.asked or asked):
        return step
    version = version_of_run(asked, platform.bucket)
    is_barred = version in slot.quarantine or version == slot.steering.undone
    if not version or is_barred or version == slot.candidate:
        return step
    if version != slot.champion and not may_be_tried(model, version, platform.bucket):
        return step
    return GiveUp(f"data and config ask for {version} since then; {slot.candidate} is given up")
