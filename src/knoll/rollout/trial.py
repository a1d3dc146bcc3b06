"""The begin of a trial: a version passes the gate and becomes the candidate, or is refused."""

from dataclasses import replace

from knoll.models import Model
from knoll.ports import Bucket, Platform
from knoll.records.attestation import Signed, key_of, look_at_attestation
from knoll.records.evidence import find_reports
from knoll.rollout.candidates import examine_version, was_promoted
from knoll.rollout.champion import numbered
from knoll.rollout.evidence import total
from knoll.rollout.found_change import find_change
from knoll.rollout.integrity import inspect_version, pin_of
from knoll.rollout.moves import returned, slot_after_hold, slot_after_reject, slot_after_start
from knoll.rollout.signature_change import why_change_is_refused
from knoll.rollout.slot import Cause, Slot

__all__ = ["begun", "judged", "why_not_whole"]


def judged(model: Model, slot: Slot, version: str, platform: Platform) -> Slot:
    """The slot after a look at a version that is to be tried: its trial begins, or the gate refuses it.

    Raises NotFound if the version has no manifest.
    """
    bucket = platform.bucket
    pin = pin_of(model.name, version, bucket)
    exam = examine_version(model, slot, version, platform, pin)
    keys = platform.settings.verify_key
    signed = Signed() if exam.fault else look_at_attestation(model.name, version, pin, keys, bucket)
    reason = exam.fault or signed.fault
    change = "" if reason else find_change(model.name, slot, version, bucket)
    at = platform.clock.now().isoformat()
    if reason or (change and not model.rollout.allow_signature_change):
        cause: Cause = "signature" if change else ""
        why = why_change_is_refused(change) if change else reason
        after = slot_after_reject(slot, version, why, at, cause)
    elif _waits(model, slot, version, pin, bucket):
        after = slot_after_hold(slot, version, "the gate is passed, and asks for approval", at)
    else:
        return _started(model.name, slot, version, pin, signed.by, change, platform).detailed(
            gate=exam.numbers
        )
    return numbered(model.name, after.detailed(gate=exam.numbers), bucket)


def _waits(model: Model, slot: Slot, version: str, pin: str, bucket: Bucket) -> bool:
    """Whether a human must approve of the version before it starts. Beside a champion it is held later, when
    its answers are compared, since it has no traffic before that."""
    is_first = not slot.champion and model.asks_approval and not slot.is_approved(version)
    return is_first and not was_promoted(model.name, version, pin, bucket)


def begun(model: Model, slot: Slot, version: str, platform: Platform, reason: str) -> Slot:
    """The slot when the trial of a version begins that a human wants for that reason, whatever the gate says.
    It needs no approval."""
    bucket = platform.bucket
    pin = pin_of(model.name, version, bucket)
    signed = look_at_attestation(model.name, version, pin, platform.settings.verify_key, bucket)
    change = find_change(model.name, slot, version, bucket)
    return _started(model.name, slot, version, pin, signed.by, change, platform, reason)


def _started(
    model: str,
    slot: Slot,
    version: str,
    pin: str,
    signer: str,
    change: str,
    platform: Platform,
    reason: str = "",
) -> Slot:
    """The slot when the trial begins of the version that was looked at. If a human wants it, or if it was the
    champion before, it needs no approval."""
    bucket, at = platform.bucket, platform.clock.now().isoformat()
    earlier = total(find_reports(model, version, bucket))
    is_proven = bool(reason) or was_promoted(model, version, pin, bucket)
    started = slot_after_start(slot, version, pin, signer, earlier, at, change=change, is_proven=is_proven)
    made = started.transition
    if reason and made:
        told = f"{reason}; {change}" if change else reason
        started = replace(started, transition=replace(made, reason=told))
    return numbered(model, returned(started, version), bucket)


def why_not_whole(model: Model, slot: Slot, version: str, platform: Platform) -> str:
    """Why a version may not serve again, by its bytes and signature alone; "" if it may."""
    bucket = platform.bucket
    pin = slot.pins.get(version) or pin_of(model.name, version, bucket)
    signed = look_at_attestation(model.name, version, pin, platform.settings.verify_key, bucket)
    key = key_of(platform.settings.verify_key, signed.by)
    return signed.fault or inspect_version(model.name, version, pin, bucket, key=key).fault
