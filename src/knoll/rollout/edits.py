"""Changes of the InferenceService by others: found, reported, and left as they are. Pure.

Each write of the spec raises its generation, and the slot has the one that knoll's own next write makes, from
before that write. What KServe's webhooks change in a write belongs to that write. So a spec of a greater
generation that is not what knoll wants was changed by somebody else. A field that was only added looks like a
default, and stays. An object that is created anew counts from 1 again: so the slot has the uid, too, and
generations of two objects are not compared.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from knoll.ports import Document
from knoll.quoting import escaped
from knoll.rollout.inference_service import OWN_FIELDS, asked, differences, holds
from knoll.rollout.releases import is_of_newer_release, is_of_this_release
from knoll.rollout.slot import Slot
from knoll.rollout.steering import Edit
from knoll.rollout.steps import NotYet, Rollback, Step

__all__ = ["follows", "slot_after_look", "spec_with_additions", "without_edits"]


def follows(live: Document, wanted: Document) -> bool:
    """Whether the InferenceService needs no write. What a newer knoll wrote stays until it must ask for
    something else."""
    is_kept = is_of_newer_release(live) and asked(live) == asked(wanted)
    return is_kept or holds(live["spec"], wanted["spec"])


def slot_after_look(slot: Slot, live: Document | None, wanted: Document | None, at: str) -> Slot:
    """The slot after a look at the InferenceService, before that is written: with the edit that is seen, and
    with the generation that the next write will make. The record of what is seen has no free number yet."""
    if live is None or wanted is None:
        return _with_written(slot, 0, "")
    generation, uid = live["metadata"]["generation"], live["metadata"]["uid"]
    if slot.steering.written_uid not in ("", uid):
        slot = _with_written(slot, 0, "")
    edit = slot.steering.edit
    if edit and generation < edit.generation:
        return slot  # it was read before the edit
    if follows(live, wanted):
        return _when_over(slot, generation, uid, at)
    if edit and edit.generation == generation:
        is_left = not set(edit.fields).isdisjoint(differences(live["spec"], wanted["spec"]))
        return slot if is_left else _when_over(slot, generation, uid, at)
    if _is_edited(slot, live):
        return _when_edited(slot, live, wanted, at)
    return _with_written(slot, max(slot.steering.written, generation + 1), uid)


def without_edits(slot: Slot, step: Step) -> Step:
    """The step that is allowed. While somebody else's change of the InferenceService is in force, that is a
    rollback of a version that has traffic, and nothing else."""
    edit = slot.steering.edit
    if not edit:
        return step
    if isinstance(step, Rollback) and slot.phase in ("Canary", "Baking"):
        return replace(step, reason=f"{step.reason}; the change of {edit.words} is undone")
    return NotYet(edit.told)


def spec_with_additions(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The spec to write: what is wanted, and the fields of the predictor that are not knoll's as they are."""
    others = {key: value for key, value in live["predictor"].items() if key not in OWN_FIELDS}
    return {**live, **wanted, "predictor": {**others, **wanted["predictor"]}}


def _is_edited(slot: Slot, live: Document) -> bool:
    """Whether somebody else has changed the spec since knoll of this release wrote it. If it is not known
    which generation that was, nobody has."""
    written = slot.steering.written
    return 0 < written < live["metadata"]["generation"] and is_of_this_release(live)


def _when_edited(slot: Slot, live: Document, wanted: Document, at: str) -> Slot:
    """The slot that leaves the edit as it is; a rollback takes it back."""
    fields = tuple(differences(live["spec"], wanted["spec"]))
    edit = Edit(live["metadata"]["generation"], fields, _last_writer(live), at)
    steering, reason = slot.steering.with_edit(edit, live["metadata"]["uid"]), edit.told
    if slot.phase == "RollingBack":
        steering, reason = steering.without_edit(), f"{reason}; it is undone"
    return replace(slot, steering=steering).noted("Edit", at, reason, slot.candidate or slot.champion)


def _when_over(slot: Slot, generation: int, uid: str, at: str) -> Slot:
    """The slot when no edit is left, and the generation is known."""
    edit, after = slot.steering.edit, _with_written(slot, max(slot.steering.written, generation), uid)
    if not edit:
        return after
    reason = f"{edit.words} of the InferenceService is as wanted again"
    return after.noted("Unedit", at, reason, slot.candidate or slot.champion)


def _with_written(slot: Slot, generation: int, uid: str) -> Slot:
    return replace(slot, steering=replace(slot.steering, written=generation, written_uid=uid, edit=None))


def _last_writer(live: Document) -> str:
    """The field manager of the last write of anything but the status; "" if the cluster does not say."""
    entries = [one for one in live["metadata"].get("managedFields") or () if not one.get("subresource")]
    last: Mapping[str, Any] = max(entries, key=lambda one: str(one.get("time") or ""), default={})
    return escaped(str(last.get("manager") or ""))
