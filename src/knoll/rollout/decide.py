"""What to do next with the version on trial: a pure decision over slot, policy, evidence and what is
observed.

    Idle ──Start──▶ Deploying ──ready──▶ Canary ──enough requests──▶ next step … ──▶ Baking ──▶ Idle, promoted
                        │ never ready      │ failed requests                            │ failed requests
                        └─▶ RollingBack ◀──┴────────────────────────────────────────────┘
                                 └──champion ready──▶ Idle, quarantined

A first version has no champion to share the traffic with: it goes from Deploying through one step at 100 %.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from knoll.models import RolloutSpec
from knoll.rollout.inference_service import Observed
from knoll.rollout.slot import Slot

__all__ = ["Hold", "Promote", "Replay", "Restore", "Rollback", "See", "Settle", "Shift", "Step", "next_step"]

ERROR_BUDGET = 0.01  # part of the requests that may fail, taken over at least `min_requests`
_QUIET = timedelta(seconds=3)  # how long a step waits for live requests before it replays samples


@dataclass(frozen=True)
class Hold:
    """Nothing to do yet, and why."""

    reason: str


@dataclass(frozen=True)
class See:
    """The wanted traffic is observed: the step's evidence counts from here."""


@dataclass(frozen=True)
class Replay:
    """Too few live requests: send this many samples to the candidate's own route."""

    requests: int


@dataclass(frozen=True)
class Shift:
    """Give the candidate more traffic."""

    step: int
    percent: int
    reason: str


@dataclass(frozen=True)
class Promote:
    """The candidate becomes the champion; `final` when its bake is over."""

    reason: str
    final: bool


@dataclass(frozen=True)
class Rollback:
    """The candidate loses its traffic and is quarantined."""

    reason: str


@dataclass(frozen=True)
class Settle:
    """The champion's new revision is ready: the rollback is complete."""


@dataclass(frozen=True)
class Restore:
    """The champion's new revision has not become ready: ask for another one."""


Step = Hold | See | Replay | Shift | Promote | Rollback | Settle | Restore


def next_step(slot: Slot, policy: RolloutSpec, observed: Observed, now: datetime) -> Step:
    """The next step of the rollout in the slot; the caller acts on it and asks again."""
    match slot.phase:
        case "Idle":
            return Hold("no version is on trial")
        case "RollingBack":
            return _rolling_back(slot, policy, observed, now)
        case "Deploying":
            return _deploying(slot, policy, observed, now)
        case "Canary":
            return _failing(slot, policy) or _canary(slot, policy, observed, now)
        case "Baking":
            return _failing(slot, policy) or _baking(slot, policy, now)


def _rolling_back(slot: Slot, policy: RolloutSpec, observed: Observed, now: datetime) -> Step:
    if not slot.champion or observed.is_ready:
        return Settle()
    if _age(slot.since, now) > policy.progress_deadline:
        return Restore()
    return Hold(f"waiting for {slot.champion} to be ready again{_because(observed)}")


def _deploying(slot: Slot, policy: RolloutSpec, observed: Observed, now: datetime) -> Step:
    waited = _age(slot.since, now)
    if observed.failure:
        return Rollback(f"never became ready: {observed.failure}")
    if not observed.is_ready and waited > policy.progress_deadline:
        return Rollback(f"did not become ready within {policy.progress_deadline:g} s{_because(observed)}")
    if not observed.is_ready:
        return Hold(f"waiting for the candidate to load, verify and answer its warm-up{_because(observed)}")
    percent = slot.percent if slot.champion else 100
    return Shift(0, percent, "ready: loaded, verified, warm")


def _because(observed: Observed) -> str:
    return f": {observed.trouble}" if observed.trouble else ""


def _canary(slot: Slot, policy: RolloutSpec, observed: Observed, now: datetime) -> Step:
    if not slot.seen:
        return (
            See()
            if observed.is_ready and observed.percent == slot.percent
            else Hold(f"waiting to see {slot.percent} % of the traffic shifted")
        )
    missing = policy.min_requests - slot.evidence.in_step
    if missing <= 0:
        return _onwards(slot, policy)
    if policy.idle == "replay" and _age(slot.seen, now) >= _QUIET.total_seconds():
        return Replay(missing)
    return Hold(f"{slot.evidence.in_step} of {policy.min_requests} requests at {slot.percent} %")


def _onwards(slot: Slot, policy: RolloutSpec) -> Step:
    counts = f"{slot.evidence.in_step} requests at {slot.percent} %, {slot.evidence.errors} failed in all"
    following = slot.step + 1
    if slot.percent == 100 or following >= len(policy.steps):
        return Promote(counts, final=False)
    return Shift(following, policy.steps[following], counts)


def _baking(slot: Slot, policy: RolloutSpec, now: datetime) -> Step:
    if _age(slot.since, now) < policy.bake:
        return Hold(f"baking at 100 % for {policy.bake:g} s")
    return Promote(
        f"baked for {policy.bake:g} s at 100 %, {slot.evidence.errors} of {slot.evidence.requests} "
        "requests failed in all",
        final=True,
    )


def _failing(slot: Slot, policy: RolloutSpec) -> Rollback | None:
    requests, errors = slot.evidence.requests, slot.evidence.errors
    if errors <= ERROR_BUDGET * max(requests, policy.min_requests):
        return None
    return Rollback(f"{errors} of {requests} requests failed")


def _age(since: str, now: datetime) -> float:
    return (now - datetime.fromisoformat(since)).total_seconds()
