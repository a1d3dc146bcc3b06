"""Since when versions are in quarantine, and when they leave it by themselves. Pure.

A damaged version stays until its files are right again, however long that takes.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from knoll.models import RolloutSpec
from knoll.rollout.slot import Slot

__all__ = ["with_times"]


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
