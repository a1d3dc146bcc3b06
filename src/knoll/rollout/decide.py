"""What to do next with the version on trial: a pure decision over slot, policy and what is observed.

    Idle ──Start──▶ Deploying ──agrees─▶ Canary ──enough requests──▶ next step … ──▶ Baking ──▶ Idle, promoted
                        │ never ready      │ failed requests                            │ failed requests
                        ├─▶ RollingBack ◀──┴────────────────────────────────────────────┘
                        │        └──champion ready──▶ Idle, quarantined
                        └──disagrees──▶ RollingBack ──champion ready──▶ Idle, held for approval

Until its answers are compared with those of the champion, the candidate gets no traffic. A first version has
no champion to be compared and to share the traffic with. It goes from Deploying through one step at 100 %.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from knoll.models import RolloutSpec
from knoll.rollout.counted import Counts
from knoll.rollout.observed import Observed
from knoll.rollout.refused import why_too_many_refused
from knoll.rollout.slot import Slot

__all__ = [
    "QUIET",
    "Compare",
    "HoldBack",
    "NotYet",
    "Promote",
    "Replay",
    "Restore",
    "Rollback",
    "Settle",
    "Shift",
    "Step",
    "TrafficSeen",
    "next_step",
    "next_traffic",
]

ERROR_BUDGET = 0.01  # the part of the requests that may fail; of at least `min_requests`, even if fewer came
READY = "ready: loaded, verified, warm"
QUIET = timedelta(seconds=3)  # how long a step waits for live requests before it replays samples


@dataclass(frozen=True)
class NotYet:
    """Nothing is to be done yet, and why."""

    reason: str


@dataclass(frozen=True)
class TrafficSeen:
    """The wanted traffic is observed: requests count for the step from now on."""


@dataclass(frozen=True)
class Replay:
    """Too few requests came: send this many samples to the candidate's own route. If it `may_start`, a
    request without an answer in time is no failure: a replica may have to start first."""

    requests: int
    may_start: bool


@dataclass(frozen=True)
class Compare:
    """The candidate is ready: send the champion's samples to its own route. If it `is_late`, it must answer
    one now."""

    is_late: bool = False


@dataclass(frozen=True)
class HoldBack:
    """Take the candidate back until somebody approves it."""

    reason: str


@dataclass(frozen=True)
class Shift:
    """Give the candidate more traffic."""

    step: int
    percent: int
    reason: str


@dataclass(frozen=True)
class Promote:
    """The candidate gets all traffic, and if `final`, its bake is over and it becomes the champion."""

    reason: str
    final: bool


@dataclass(frozen=True)
class Rollback:
    """Take the traffic from the candidate and quarantine it."""

    reason: str


@dataclass(frozen=True)
class Settle:
    """The champion's new revision is ready: end the rollback."""


@dataclass(frozen=True)
class Restore:
    """The new revision has not become ready in time: ask for another one."""


Step = NotYet | TrafficSeen | Replay | Compare | HoldBack | Shift | Promote | Rollback | Settle | Restore


def next_step(
    slot: Slot, policy: RolloutSpec, observed: Observed, now: datetime, min_agreement: float = 0.0
) -> Step:
    """The next step of the rollout in the slot. The caller carries it out, then asks again. A candidate that
    agrees less with the champion than `min_agreement` is held back, unless it is approved."""
    match slot.phase:
        case "Idle":
            return NotYet("no version is on trial")
        case "RollingBack":
            return _rolling_back(slot, policy, observed, now)
        case "Deploying":
            step = _deploying(slot, policy, observed, now, min_agreement)
            return _paused(slot) if slot.steering.paused and isinstance(step, Shift) else step
        case "Canary":
            return _failing(slot, policy) or _refusing(slot) or _canary(slot, policy, observed, now)
        case "Baking":
            return _failing(slot, policy) or _baking(slot, policy, now)


def _rolling_back(slot: Slot, policy: RolloutSpec, observed: Observed, now: datetime) -> Step:
    if not slot.champion or observed.is_ready:
        return Settle()
    if _age(slot.since, now) > policy.progress_deadline:
        return Restore()
    return NotYet(f"waiting for {slot.champion} to be ready again{_because(observed)}")


def _deploying(
    slot: Slot, policy: RolloutSpec, observed: Observed, now: datetime, min_agreement: float
) -> Step:
    waited = _age(slot.since, now)
    if observed.failure:
        return Rollback(f"never became ready: {observed.failure}")
    if not observed.is_ready and waited > policy.progress_deadline:
        return Rollback(f"did not become ready within {policy.progress_deadline:g} s{_because(observed)}")
    if not observed.is_ready:
        return NotYet(f"waiting for the candidate to load, verify and answer its warm-up{_because(observed)}")
    if not slot.champion:
        return Shift(0, 100, READY)
    return _compared(slot, policy, now, min_agreement)


def _compared(slot: Slot, policy: RolloutSpec, now: datetime, min_agreement: float) -> Step:
    """What the comparison with the champion leads to."""
    found = slot.compared
    if found is None or not found.is_over:
        return Compare(found is not None and _age(found.since, now) > policy.progress_deadline)
    is_enough = slot.is_approved(slot.candidate) or not found.falls_short(min_agreement)
    if not is_enough:
        return HoldBack(f"{found.words}: the gate asks for agreement on {min_agreement:.0%}")
    percent = policy.steps[0] if policy.steps else 100
    return Shift(0, percent, "; ".join(filter(None, (READY, found.words))))


def _because(observed: Observed) -> str:
    return f": {observed.trouble}" if observed.trouble else ""


def _canary(slot: Slot, policy: RolloutSpec, observed: Observed, now: datetime) -> Step:
    if not slot.seen:
        return (
            TrafficSeen()
            if observed.is_ready and observed.percent == slot.percent
            else NotYet(f"waiting to see {slot.percent} % of the traffic shifted")
        )
    if slot.steering.paused:
        return _paused(slot)
    counts = slot.evidence.counts
    missing = policy.min_requests - counts.in_step
    if missing <= 0:
        reason = f"{counts.in_step} requests at {slot.percent} %, {counts.errors} failed in all"
        return next_traffic(slot, policy, reason + _beside(counts))
    if policy.idle == "replay" and _age(slot.seen, now) >= QUIET.total_seconds():
        return Replay(missing, may_start=_age(slot.seen, now) < policy.progress_deadline)
    have = f"{counts.in_step} of {policy.min_requests} requests at {slot.percent} %"
    return NotYet(have + _beside(counts))


def next_traffic(slot: Slot, policy: RolloutSpec, reason: str) -> Shift | Promote:
    """The step that follows in a canary: more traffic, or after the last one the bake."""
    following = slot.step + 1
    if slot.percent == 100 or following >= len(policy.steps):
        return Promote(reason, final=False)
    return Shift(following, policy.steps[following], reason)


def _paused(slot: Slot) -> NotYet:
    return NotYet(f"paused at {slot.percent} % by {slot.steering.paused}")


def _baking(slot: Slot, policy: RolloutSpec, now: datetime) -> Step:
    if slot.steering.paused:
        return _paused(slot)
    if _age(slot.since, now) < policy.bake:
        return NotYet(f"baking at 100 % for {policy.bake:g} s")
    counts = slot.evidence.counts
    failed = f"{counts.errors} of {counts.requests} requests failed in all{_beside(counts)}"
    return Promote(f"baked for {policy.bake:g} s at 100 %, {failed}", final=True)


def _failing(slot: Slot, policy: RolloutSpec) -> Rollback | None:
    counts = slot.evidence.counts
    if counts.errors <= ERROR_BUDGET * max(counts.requests, policy.min_requests):
        return None
    return Rollback(f"{counts.errors} of {counts.requests} requests failed")


def _refusing(slot: Slot) -> Rollback | None:
    """Only while the champion gets requests, too: in the bake, nothing tells a bad client from a bad
    version."""
    reason = why_too_many_refused(slot.evidence, slot.champion) if slot.champion else ""
    return Rollback(reason) if reason else None


def _beside(counts: Counts) -> str:
    return f", {counts.refused} refused beside them" if counts.refused else ""


def _age(since: str, now: datetime) -> float:
    return (now - datetime.fromisoformat(since)).total_seconds()
