"""Since when versions are in quarantine, when they leave it by themselves, and which still count. Pure.

A damaged version stays until its files are right again, however long that takes. An earlier champion whose
trial a human has ended is not at fault: it is not tried by itself, and may still serve in place of another.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from knoll.models import RolloutSpec
from knoll.rollout.slot import Slot

__all__ = ["why_unfit", "with_times"]


def why_unfit(slot: Slot, version: str) -> str:
    """Why the version may not serve though it has been the champion, as far as its trials tell; "" if it
    may."""
    return "" if slot.causes.get(version) == "aborted" else slot.quarantine.get(version, "")


def with_times(slot: Slot, policy: RolloutSpec, now: datetime) -> Slot:
    """The slot with the time since when each version is in quarantine, and without the versions whose time is
    over."""
    known = slot.steering.quarantined
    since = {version: known.get(version) or now.isoformat() for version in slot.quarantine}
    kept = {version: at for version, at in since.items() if not _is_over(slot, version, at, policy, now)}
    quarantine = {version: why for version, why in slot.quarantine.items() if version in kept}
    return replace(slot, quarantine=quarantine, steering=replace(slot.steering, quarantined=kept))


def _is_over(slot: Slot, version: str, at: str, policy: RolloutSpec, now: datetime) -> bool:
    if policy.quarantine is None or version in slot.fallen:
        return False
    return now - datetime.fromisoformat(at) >= timedelta(seconds=policy.quarantine)
