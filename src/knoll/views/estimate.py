"""How many requests a trial still needs, and how long that takes at the rate at which they come. Pure.

These are estimates, for people: no decision depends on them.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from knoll.models import RolloutSpec
from knoll.rollout.slot import Slot
from knoll.views.units import seconds_between

__all__ = ["Estimate", "estimate_document", "estimated"]


@dataclass(frozen=True)
class Estimate:
    """What a trial still needs: `in_step` and `in_all` are the requests to the candidate that are missing in
    this step and until the bake; `step_seconds` and `seconds` say how long they take. `rate` is the requests
    a second since the step began. What is unknown is None; without requests, so are the seconds."""

    in_step: int
    in_all: int | None
    rate: float
    step_seconds: float | None
    seconds: float | None


def estimated(slot: Slot, policy: RolloutSpec, to_pass: int | None, now: datetime) -> Estimate | None:
    """The estimate for a canary whose traffic is seen; None at any other time. `to_pass` are the requests
    that a pass still needs, and None if that is not known. In later steps the rate rises with the share."""
    gone = seconds_between(slot.seen, now) if slot.phase == "Canary" and slot.seen else None
    if gone is None:
        return None
    have = slot.evidence.counts.in_step
    missing = max(policy.min_requests - have, 0)
    rate = have / gone if gone > 0 else 0.0
    later = [] if slot.percent == 100 else [*policy.shares[slot.step + 1 :]]
    planned = [missing, *(policy.min_requests for _ in later)]
    if to_pass is not None:
        planned[-1] += max(to_pass - sum(planned), 0)
    shares = (slot.percent, *later) if slot.percent else (1,) * len(planned)  # in the shadow it has none
    rates = [rate * share / shares[0] for share in shares]
    seconds = None
    if rate and to_pass is not None:
        seconds = sum(count / each for count, each in zip(planned, rates, strict=True))
    in_all = None if to_pass is None else sum(planned)
    return Estimate(missing, in_all, rate, missing / rate if rate else None, seconds)


def estimate_document(found: Estimate | None) -> dict[str, Any] | None:
    """The estimate as `-o json` shows it; null for none."""
    if found is None:
        return None
    return {
        "stepRequests": found.in_step,
        "requests": found.in_all,
        "requestsPerSecond": round(found.rate, 4),
        "stepSeconds": found.step_seconds,
        "seconds": found.seconds,
    }
