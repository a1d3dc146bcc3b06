"""The slot of a Model that was deleted and created again, from the records of its rollouts: they outlive the
Model."""

from dataclasses import fields, replace

from knoll.ports import Bucket
from knoll.records.rollout import list_steps
from knoll.rollout.slot import Slot, Transition

__all__ = ["slot_from_records"]


def slot_from_records(model: str, bucket: Bucket) -> Slot:
    """Which version served last, and which must not return. An empty slot if there was never a rollout."""
    slot = Slot()
    for step in sorted(list_steps(model, bucket), key=lambda one: (one.at, one.number)):
        made = Transition(**{field.name: getattr(step, field.name) for field in fields(Transition)})
        slot = _after(slot, made)
        if step.manifest_sha256:
            slot = replace(slot, pins={**slot.pins, step.version: step.manifest_sha256})
    return slot


def _after(slot: Slot, made: Transition) -> Slot:
    after = replace(slot, since=made.at, transition=made)
    match made.action:
        case "Promote":
            return replace(after, champion=made.version, previous=slot.champion, percent=100)
        case "Fallback":
            quarantine = {**slot.quarantine, made.version: made.reason}
            return replace(after, champion=slot.previous, previous="", percent=100, quarantine=quarantine)
        case "Rollback" | "Reject":
            return replace(after, quarantine={**slot.quarantine, made.version: made.reason})
    return after
