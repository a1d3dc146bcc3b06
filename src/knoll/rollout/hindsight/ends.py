"""How a rollout ends, or would have ended."""

from dataclasses import dataclass
from datetime import datetime

from knoll.records.rollout import RolloutStep

__all__ = ["ENDS", "UNKNOWN", "Hindsight", "as_recorded", "seconds_between", "unknown"]

ENDS = {"Promote": "Promoted", "Rollback": "RolledBack", "Hold": "Held", "Reject": "Refused"}
UNKNOWN = "Unknown"


@dataclass(frozen=True)
class Hindsight:
    """How a rollout would have ended, and why, by its records up to number `step`."""

    would: str
    step: int
    why: str


def as_recorded(end: RolloutStep) -> Hindsight:
    """That it would have ended as it did."""
    return Hindsight(ENDS[end.action], end.number, end.reason)


def unknown(one: RolloutStep, why: str) -> Hindsight:
    """That nobody can tell what would have come in place of that step."""
    return Hindsight(UNKNOWN, one.number, why)


def seconds_between(one: str, other: str) -> float:
    """Seconds between two times of records."""
    return (datetime.fromisoformat(other) - datetime.fromisoformat(one)).total_seconds()
