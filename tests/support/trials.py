"""Rollouts of candidates on a platform that runs: published, awaited, and what they came to."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from knoll.errors import Unavailable
from knoll.events import TRAINING_SUCCEEDED, new_event
from knoll.ports import Platform
from knoll.records.rollout import RolloutStep, find_last_step
from knoll.rollout.slot import Slot, slot_from_status
from support.candidates import Kind, announced, publish_candidate
from support.load import Answered

__all__ = [
    "EXPECTED",
    "MOMENT",
    "Trial",
    "failed_by_a_switch",
    "seconds_until_nothing",
    "sent_too_late",
    "try_candidate",
]

EXPECTED: Mapping[Kind, str] = {
    "good": "Promote",
    "broken": "Rollback",
    "failing": "Rollback",
    "slow": "Rollback",
    "wrong": "Hold",
}
MOMENT = 2.0  # seconds after a decision in which traffic must have moved
_PATIENCE = 300.0  # seconds, on a busy machine
_LAST = {"Promote", "Rollback", "Hold", "Reject"}
_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Trial:
    """One rollout that has ended: the last decision, when it was made, in seconds since the epoch, and why.
    `pin` is the sha256 of the candidate's manifest, `champion_pin` that of the version that serves since.
    `seconds` is the time from its publishing to its end."""

    kind: Kind
    version: str
    pin: str
    action: str
    decided: float
    reason: str
    champion_pin: str
    seconds: float

    @property
    def is_as_expected(self) -> bool:
        """Whether a good version was promoted, and a bad one rolled back or held."""
        return self.action == EXPECTED[self.kind]


def try_candidate(kind: Kind, model: str, platform: Platform, sign_key: str) -> Trial:
    """Publish a candidate of the small classifier, and wait until its rollout has ended."""
    bucket, began = replace(platform.bucket, sign_key=sign_key), time.monotonic()
    sealed = publish_candidate(kind, model, bucket)
    version = sealed.manifest.version
    event = new_event(TRAINING_SUCCEEDED, source="/test", time=platform.clock.now(), data=announced(sealed))
    with suppress(Unavailable):  # then the next tick finds it
        platform.events.publish(event)
    slot = _awaited(lambda: _ended_slot(model, version, platform), version)
    seconds = time.monotonic() - began
    step = _awaited(lambda: _last_step(model, version, platform), version)
    decided, pin = datetime.fromisoformat(step.at).timestamp(), slot.pins.get(slot.champion, "")
    return Trial(kind, version, sealed.sha256, step.action, decided, step.reason, pin, seconds)


def failed_by_a_switch(answered: Sequence[Answered], trials: Sequence[Trial]) -> list[Answered]:
    """The requests without the right answer, but for those that a failing candidate has failed itself."""
    failing = {one.version for one in trials if one.kind == "failing"}
    return [one for one in answered if one.fault and not (one.status == 500 and one.version in failing)]


def seconds_until_nothing(answered: Sequence[Answered], trial: Trial) -> float:
    """From the decision to the last request that was sent to this version; 0 if it got none since."""
    return max((one.sent - trial.decided for one in answered if one.version == trial.version), default=0.0)


def sent_too_late(answered: Sequence[Answered], trial: Trial) -> int:
    """How many requests were sent to this version when its traffic must have been 0 %."""
    over = trial.decided + MOMENT
    return sum(one.version == trial.version and one.sent > over for one in answered)


def _ended_slot(model: str, version: str, platform: Platform) -> Slot | None:
    """The slot when the trial of the version is over; None before."""
    slot = slot_from_status(platform.cluster.get("Model", model).get("status") or {})
    is_held = slot.held is not None and slot.held.version == version
    is_decided = slot.champion == version or version in slot.quarantine or is_held
    return slot if slot.phase == "Idle" and is_decided else None


def _last_step(model: str, version: str, platform: Platform) -> RolloutStep | None:
    step = find_last_step(model, version, platform.bucket)
    return step if step and step.action in _LAST else None


def _awaited(find: Callable[[], _Found | None], version: str) -> _Found:
    deadline = time.monotonic() + _PATIENCE
    while (found := find()) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the rollout of {version} has not ended within {_PATIENCE:.0f} s")
        time.sleep(0.2)
    return found
