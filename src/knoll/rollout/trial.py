"""The begin of a trial: a version passes the gate and becomes the candidate, or is refused."""

from dataclasses import replace

from knoll.models import Model
from knoll.ports import Platform
from knoll.records.attestation import find_signed, key_of
from knoll.records.evidence import find_reports
from knoll.rollout.candidates import find_change, was_promoted, why_rejected
from knoll.rollout.champion import numbered
from knoll.rollout.evidence import total, total_of_champion
from knoll.rollout.integrity import look_at, pin_of
from knoll.rollout.moves import returned, slot_after_reject, slot_after_start
from knoll.rollout.signature_change import why_change_is_refused
from knoll.rollout.slot import Cause, Slot

__all__ = ["begun", "judged", "why_not_whole"]


def judged(model: Model, slot: Slot, version: str, platform: Platform) -> Slot:
    """The slot after a look at a version that is to be tried: its trial begins, or the gate refuses it.

    Raises NotFound if the version has no manifest.
    """
    pin = pin_of(model.name, version, platform.bucket)
    keys = platform.settings.verify_key
    reason = why_rejected(model, slot, version, platform, pin)
    reason = reason or find_signed(model.name, version, pin, keys, platform.bucket).fault
    is_free = reason or model.rollout.allow_signature_change
    change = "" if is_free else find_change(model.name, slot, version, platform.bucket)
    if not reason and not change:
        return begun(model, slot, version, platform)
    cause: Cause = "signature" if change else ""
    why, at = why_change_is_refused(change) if change else reason, platform.clock.now().isoformat()
    return numbered(model.name, slot_after_reject(slot, version, why, at, cause), platform.bucket)


def begun(model: Model, slot: Slot, version: str, platform: Platform, reason: str = "") -> Slot:
    """The slot when the trial of a version begins, whatever the gate says; `reason` is why a human wants it.
    If one does, or if it was the champion before, it needs no approval."""
    bucket, at = platform.bucket, platform.clock.now().isoformat()
    pin = pin_of(model.name, version, bucket)
    signed = find_signed(model.name, version, pin, platform.settings.verify_key, bucket)
    earlier = total(find_reports(model.name, version, bucket))
    beside = total_of_champion(find_reports(model.name, slot.champion, bucket) if slot.champion else {})
    change = find_change(model.name, slot, version, bucket)
    is_proven = bool(reason) or was_promoted(model.name, version, pin, bucket)
    started = slot_after_start(
        slot, version, pin, signed.by, earlier, beside, at, change=change, is_proven=is_proven
    )
    made = started.transition
    if reason and made:
        told = f"{reason}; {change}" if change else reason
        started = replace(started, transition=replace(made, reason=told))
    return numbered(model.name, returned(started, version), bucket)


def why_not_whole(model: Model, slot: Slot, version: str, platform: Platform) -> str:
    """Why a version may not serve again, by its bytes and signature alone; "" if it may."""
    bucket = platform.bucket
    pin = slot.pins.get(version) or pin_of(model.name, version, bucket)
    signed = find_signed(model.name, version, pin, platform.settings.verify_key, bucket)
    key = key_of(platform.settings.verify_key, signed.by)
    return signed.fault or look_at(model.name, version, pin, bucket, key=key).fault
