"""What to do next with the version on trial: a pure decision over slot, policy and what is observed.

    Idle ──Start──▶ Deploying ──agrees─▶ Canary ──enough requests──▶ next step … ──passes──▶ Baking ──▶ Idle,
      │                 │ never ready      │  ▲                                               │       promoted
      │                 │                  │  └──suspected: half of the traffic───────────────┘
      │                 ├──▶ RollingBack ◀─┘ fails
      │                 │         └──champion ready──▶ Idle, quarantined
      │                 └──disagrees──▶ RollingBack ──champion ready──▶ Idle, waiting for approval
      └──the gate refuses──▶ Idle, quarantined

Until its answers are compared with those of the champion, the candidate gets no traffic. While both get
traffic, the judgement of both says whether it fails or passes. With all traffic it can only be suspected. A
first version has no champion to be compared and to share the traffic with. It goes from Deploying through one
step at 100 %, and few of its requests may fail.
"""

from datetime import datetime, timedelta

from knoll.models import RolloutSpec
from knoll.rollout.base import may_serve_alone
from knoll.rollout.observed import Observed
from knoll.rollout.slot import Slot
from knoll.rollout.steps import (
    Compare,
    HoldBack,
    NotYet,
    Promote,
    Replay,
    Restore,
    Rollback,
    Settle,
    Shift,
    Step,
    SteppedBack,
    TrafficSeen,
)
from knoll.rollout.weighed import beside, failing, missing, passed, suspected

__all__ = ["IDLE", "QUIET", "STEP_BACK", "next_step", "next_traffic"]

READY = "ready: loaded, verified, warm"
QUIET = timedelta(seconds=3)  # how long a step waits for live requests before it replays samples
STEP_BACK = timedelta(seconds=10)  # how long a rollback waits for the revision before the candidate's
ALONE = timedelta(seconds=30)  # how long a step waits until a candidate with all traffic shares it
IDLE = timedelta(minutes=1)  # how long a step waits for the first one before it goes on without any
MOST_REPLAYS = 2000  # of a rollout, to find out whether it passes


def next_step(
    slot: Slot,
    policy: RolloutSpec,
    observed: Observed,
    now: datetime,
    min_agreement: float = 0.0,
    *,
    asks_approval: bool = False,
) -> Step:
    """The next step of the rollout in the slot. The caller carries it out, then asks again. A candidate that
    agrees less with the champion than `min_agreement` is held back until it is approved, and with
    `asks_approval` each one is."""
    match slot.phase:
        case "Idle":
            return NotYet("no version is on trial")
        case "RollingBack":
            return _rolling_back(slot, policy, observed, now)
        case "Deploying":
            step = _deploying(slot, policy, observed, now, min_agreement, asks_approval=asks_approval)
            return _paused(slot) if slot.steering.paused and isinstance(step, Shift) else step
        case "Canary":
            return failing(slot, policy) or suspected(slot, policy) or _canary(slot, policy, observed, now)
        case "Baking":
            return failing(slot, policy) or suspected(slot, policy) or _baking(slot, policy, observed, now)


def _rolling_back(slot: Slot, policy: RolloutSpec, observed: Observed, now: datetime) -> Step:
    if slot.is_stepping_back:
        has_yielded = observed.is_ready and not observed.percent
        is_over = has_yielded or _age(slot.since, now) > STEP_BACK.total_seconds()
        return SteppedBack() if is_over else NotYet(f"waiting for {slot.champion} to get the traffic")
    if not slot.champion or observed.is_ready:
        return Settle()
    if _age(slot.since, now) > policy.progress_deadline:
        return Restore()
    return NotYet(f"waiting for {slot.champion} to be ready again{_because(observed)}")


def _deploying(
    slot: Slot,
    policy: RolloutSpec,
    observed: Observed,
    now: datetime,
    min_agreement: float,
    *,
    asks_approval: bool,
) -> Step:
    waited = _age(slot.since, now)
    if observed.failure:
        return Rollback(f"never became ready: {observed.failure}")
    if not observed.is_ready and waited > policy.progress_deadline:
        why = f"did not become ready within {policy.progress_deadline:g} s{_because(observed)}"
        return Rollback(why, "deadline")
    if not observed.is_ready:
        return NotYet(f"waiting for the candidate to load, verify and answer its warm-up{_because(observed)}")
    if not slot.champion:
        return Shift(0, 100, READY)
    has_route = bool(observed.champion_url)
    return _compared(slot, policy, now, min_agreement, has_route, asks_approval=asks_approval)


def _compared(
    slot: Slot,
    policy: RolloutSpec,
    now: datetime,
    min_agreement: float,
    has_route: bool,
    *,
    asks_approval: bool,
) -> Step:
    """What the comparison with the champion leads to. A candidate that agrees too little is held back only
    after the champion was asked how often it agrees with itself, if there is a way and a time to ask it. With
    `asks_approval`, a human must approve of any candidate before its first traffic."""
    found = slot.compared
    is_late = found is not None and _age(found.since, now) > policy.progress_deadline
    if found is None or not found.is_over:
        return Compare(is_late)
    is_approved = slot.is_approved(slot.candidate)
    may_ask = has_route and not is_late and policy.strategy != "resource"
    if may_ask and not is_approved and found.asks_champion(min_agreement):
        return Compare(of_champion=True)
    if not is_approved and found.falls_short(min_agreement):
        return HoldBack(f"{found.words}: the gate asks for agreement on {min_agreement:.0%}")
    reason = "; ".join(filter(None, (READY, found.words)))
    if asks_approval and not is_approved:
        return HoldBack(f"{reason}; the gate asks for approval")
    return Shift(0, policy.shares[0] if policy.shares else 100, reason)


def _because(observed: Observed) -> str:
    return f": {observed.trouble}" if observed.trouble else ""


def _canary(slot: Slot, policy: RolloutSpec, observed: Observed, now: datetime) -> Step:
    if not slot.seen:
        return _unseen(slot, observed, now)
    if slot.steering.paused:
        return _paused(slot)
    counts, age = slot.evidence.counts, _age(slot.seen, now)
    needed, waits_for = missing(slot, policy)
    if not waits_for:
        reason = (
            f"{counts.in_step} requests at {slot.percent} %, {counts.errors} failed in all{beside(counts)}"
        )
        return next_traffic(slot, policy, "; ".join(filter(None, (reason, passed(slot)))))
    if policy.idle == "promote" and slot.evidence.is_idle and age >= IDLE.total_seconds():
        return next_traffic(slot, policy, f"no request at {slot.percent} % within {IDLE.total_seconds():g} s")
    is_short = counts.in_step < policy.min_requests or counts.replayed < MOST_REPLAYS
    if slot.percent < 100 and slot.champion and not observed.champion_url:
        return NotYet(f"waiting for a route to {slot.champion}")
    if needed and is_short and policy.idle == "replay" and age >= QUIET.total_seconds():
        return Replay(needed, may_start=age < policy.progress_deadline)
    return NotYet(waits_for + beside(counts))


def _unseen(slot: Slot, observed: Observed, now: datetime) -> Step:
    """What the wanted traffic leads to, once it is observed. If the InferenceService was deleted, KServe may
    have no revision but the candidate's: one that may serve alone has all traffic then, and bakes."""
    if observed.is_ready and observed.percent == slot.percent:
        return TrafficSeen()
    is_alone = observed.is_ready and observed.percent == 100 and _age(slot.since, now) > ALONE.total_seconds()
    if is_alone and may_serve_alone(slot, slot.candidate):
        return Promote(f"{slot.champion} has no traffic to share any more", final=False)
    return NotYet(f"waiting to see {slot.percent} % of the traffic shifted")


def _not_baking(slot: Slot, policy: RolloutSpec, observed: Observed, now: datetime) -> Step:
    """What follows while the version has not all traffic yet. It may have lost its Pods."""
    if not observed.is_ready and _age(slot.since, now) > policy.progress_deadline:
        why = f"was not ready for its bake within {policy.progress_deadline:g} s"
        return Rollback(f"{why}{_because(observed)}", "deadline")
    return NotYet(f"waiting to see 100 % of the traffic shifted{_because(observed)}")


def next_traffic(slot: Slot, policy: RolloutSpec, reason: str) -> Shift | Promote:
    """The step that follows in a canary: more traffic, or after the last one the bake."""
    following = slot.step + 1
    if slot.percent == 100 or following >= len(policy.shares):
        return Promote(reason, final=False)
    return Shift(following, policy.shares[following], reason)


def _paused(slot: Slot) -> NotYet:
    return NotYet(f"paused at {slot.percent} % by {slot.steering.paused}")


def _baking(slot: Slot, policy: RolloutSpec, observed: Observed, now: datetime) -> Step:
    """The bake begins when the version is seen to have all traffic."""
    if not slot.seen and observed.is_ready and observed.percent == 100:
        return TrafficSeen()
    if slot.steering.paused:
        return _paused(slot)
    if not slot.seen:
        return _not_baking(slot, policy, observed, now)
    if _age(slot.seen, now) < policy.bake:
        return NotYet(f"baking at 100 % for {policy.bake:g} s")
    counts = slot.evidence.counts
    failed = f"{counts.errors} of {counts.requests} requests failed in all{beside(counts)}"
    return Promote(f"baked for {policy.bake:g} s at 100 %, {failed}", final=True)


def _age(since: str, now: datetime) -> float:
    return (now - datetime.fromisoformat(since)).total_seconds()
