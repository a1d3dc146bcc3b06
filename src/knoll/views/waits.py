"""What a rollout waits for, from the slot and the policy alone."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from knoll.models import RolloutSpec
from knoll.rollout.slot import Slot

__all__ = ["Wait", "rollout_wait", "wait_document"]


@dataclass(frozen=True)
class Wait:
    """What is waited for, since when, how much of it there is, and what ends the wait.

    `have` and `need` count requests; both are 0 if the wait is for something else. `until` is the time at
    which the wait ends by itself, and "" if no time ends it. Times are ISO 8601.
    """

    what: str
    since: str
    ends: str
    have: int = 0
    need: int = 0
    until: str = ""

    @property
    def words(self) -> str:
        """The wait in one line."""
        return f"{self.what}; {self.ends}" if self.ends else self.what


def rollout_wait(slot: Slot, policy: RolloutSpec) -> Wait | None:
    """What the rollout in the slot waits for; None if no version is on trial."""
    match slot.phase:
        case "Deploying":
            ends = f"at {{until}} {slot.candidate} is rolled back"
            what = f"{slot.candidate} to load, verify and answer its warm-up"
            return _timed(what, ends, slot.since, policy.progress_deadline)
        case "Canary" if not slot.seen:
            return Wait(f"{slot.percent} % of the traffic to reach {slot.candidate}", slot.since, "")
        case "Canary":
            return _requests(slot, policy)
        case "Baking":
            ends = f"at {{until}} {slot.candidate} becomes the champion"
            return _timed("the bake at 100 %", ends, slot.since, policy.bake)
        case "RollingBack":
            ends = "at {until} its server is asked for again"
            return _timed(f"{slot.champion} to be ready again", ends, slot.since, policy.progress_deadline)
    return None


def wait_document(wait: Wait | None) -> dict[str, Any] | None:
    """The wait as `-o json` shows it; null if there is none."""
    if wait is None:
        return None
    times = {"since": wait.since, "until": wait.until}
    return {"for": wait.what, "have": wait.have, "need": wait.need, **times, "ends": wait.ends}


def _requests(slot: Slot, policy: RolloutSpec) -> Wait:
    have, need = slot.evidence.counts.in_step, policy.min_requests
    ends = {
        "hold": "idle: hold waits for traffic",
        "replay": "idle: replay sends held-out samples when no requests come",
    }
    return Wait(f"{have} of {need} requests at {slot.percent} %", slot.seen, ends[policy.idle], have, need)


def _timed(what: str, ends: str, since: str, seconds: float) -> Wait:
    if not since:
        return Wait(what, "", "")
    until = datetime.fromisoformat(since) + timedelta(seconds=seconds)
    return Wait(what, since, ends.format(until=f"{until:%H:%M:%S}"), until=until.isoformat())
