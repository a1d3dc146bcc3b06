"""Whether the champion may keep serving, by its files and by what its predictor says about them.

If the files do not match the pin, or the predictor refuses them with exit code 65, the version before serves
again. The champion is in quarantine until every byte matches the pin; then it is tried like a new version.
"""

from dataclasses import replace

from knoll.exits import REJECTED
from knoll.names import version_number
from knoll.ports import Bucket, Platform
from knoll.records.attestation import key_of
from knoll.records.rollout import next_number
from knoll.rollout.candidates import champion_number
from knoll.rollout.integrity import NOTHING_SEEN, Inspection, inspect_version, pin_of, with_pins
from knoll.rollout.moves import returned, slot_after_damage, slot_after_mend
from knoll.rollout.quarantine import why_unfit
from knoll.rollout.slot import Slot

__all__ = ["numbered", "slot_checked"]


def slot_checked(model: str, slot: Slot, refusal: str | None, platform: Platform) -> Slot:
    """The slot after the champion's files were inspected: if they do not match the pin, another version
    serves, or the slot says why none can. `refusal` is what its predictor says if it refuses them, else
    None."""
    bucket, at = platform.bucket, platform.clock.now().isoformat()
    slot = _with_returned(model, with_pins(model, slot, bucket), platform)
    if not slot.champion:
        return slot
    has_other = bool(slot.previous) and not why_unfit(slot, slot.previous)
    is_refused = refusal is not None and has_other
    listing = None if is_refused else slot.listing
    found = _inspect(model, slot.champion, slot, platform, listing)
    fault, seen = found.fault, found.listing or NOTHING_SEEN
    if is_refused and not fault:
        fault, seen = f"its predictor refuses to serve it: {refusal or f'exit code {REJECTED}'}", NOTHING_SEEN
    if slot.damage and (fault or found.listing == slot.listing):
        return slot
    if not fault:
        seen_well = replace(slot, listing=found.listing)
        return numbered(model, slot_after_mend(seen_well, at), bucket) if slot.damage else seen_well
    of_previous = ""
    if has_other:
        of_previous = _inspect(model, slot.previous, slot, platform).fault
    if is_refused and of_previous and not found.fault:
        return replace(slot, listing=found.listing)
    return numbered(model, slot_after_damage(replace(slot, listing=seen), fault, of_previous, at), bucket)


def numbered(model: str, slot: Slot, bucket: Bucket) -> Slot:
    """The slot with a free number for its last decision. The version may have records of an earlier trial, or
    a stray may lie there."""
    made = slot.transition
    assert made is not None
    return replace(slot, transition=replace(made, number=next_number(model, made.version, bucket)))


def _inspect(
    model: str, version: str, slot: Slot, platform: Platform, listing: str | None = None
) -> Inspection:
    """Inspect a version that serves or served. If the key that had signed it counts no more, its pin alone
    does."""
    pin = slot.pins.get(version) or pin_of(model, version, platform.bucket)
    key = key_of(platform.settings.verify_key, slot.signers.get(version, ""))
    return inspect_version(model, version, pin, platform.bucket, listing, key)


def _with_returned(model: str, slot: Slot, platform: Platform) -> Slot:
    """The slot after the versions that gave way were inspected. Those from before the champion do not
    return."""
    newer = {name: seen for name, seen in slot.fallen.items() if version_number(name) > champion_number(slot)}
    after = replace(slot, fallen=newer)
    for version, seen in newer.items():
        found = _inspect(model, version, slot, platform, seen)
        if found.fault:
            after = replace(after, fallen={**after.fallen, version: found.listing or NOTHING_SEEN})
        elif found.listing != seen:
            after = returned(after, version)
    return after
