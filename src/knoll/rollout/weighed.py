"""What the evidence in a slot asks for: to roll back, to share the traffic again, or to wait. Pure."""

from knoll.models import RolloutSpec
from knoll.rollout.counted import CandidateCounts
from knoll.rollout.evidence import words_of
from knoll.rollout.evidence.arms import SUSPICION
from knoll.rollout.evidence.one_sample import OneSample
from knoll.rollout.slot import Slot
from knoll.rollout.steps import NotYet, Rollback, Shift

__all__ = ["beside", "failing", "missing", "passed", "suspected"]

ERROR_BUDGET = 0.01  # of a first version's requests, at least `min_requests`: the part that may fail
MOST_SUSPICIONS = 2  # that only share the traffic
SUSPECTED = 50  # percent of the traffic for a candidate that is suspected in its bake
_SHOWN = {
    "labels": "more labels must show that it is wrong hardly more often than",
    "agreement": "more requests must be answered by both to show that it agrees with",
}
_PART = 100  # requests, where it is not known how many are missing


def failing(slot: Slot, policy: RolloutSpec) -> Rollback | None:
    """Back from a candidate that the verdict fails, or from a first version with too many failures."""
    said, counts = slot.verdict, slot.evidence.counts
    if slot.judgement and said:
        words = words_of(said, slot.judgement, slot.champion)
        return Rollback(words) if said.outcome == "fail" else None
    if slot.champion or counts.errors <= ERROR_BUDGET * max(counts.requests, policy.min_requests):
        return None
    return Rollback(f"{counts.errors} of {counts.requests} requests failed")


def suspected(slot: Slot, policy: RolloutSpec) -> Shift | Rollback | NotYet | None:
    """Half of the traffic back to the champion if the candidate, with all of it, seems to fail or to refuse
    more often: then both are judged side by side. An outage, which hits both, ends no rollout so, and neither
    do clients who send what every version refuses. A candidate that fails with all traffic, again and again,
    cannot have it. By the strategy `resource` one version runs at a time: then failures roll back at once,
    and with refusals a human must look."""
    said = slot.verdict
    if slot.percent < 100 or not (slot.judgement and said):
        return None
    if said.is_suspected:
        reason = _suspicion("failed", slot.judgement.suspicion, slot.judgement.base, slot.champion)
        is_failure = True
    elif said.refuses_more:
        found = slot.judgement.refusal_suspicion
        reason, is_failure = _suspicion("were refused", found, slot.judgement.refused, slot.champion), False
    else:
        return None
    if is_failure and slot.evidence.suspicions >= MOST_SUSPICIONS:
        return Rollback(f"{reason}; it has failed so {slot.evidence.suspicions} times before")
    if policy.strategy != "resource":
        return Shift(max(len(policy.shares) - 1, 0), SUSPECTED, reason)
    return Rollback(reason) if is_failure else NotYet(f"{reason}: look at them, then promote or abort it")


def _suspicion(what: str, found: OneSample, before: float, champion: str) -> str:
    return (
        f"{found.bad} of {found.requests} requests {what} at 100 %, and {before:.1%} of those to {champion} "
        f"before (E {found.most:.2g}, the bound is {SUSPICION[1]:g})"
    )


def missing(slot: Slot, policy: RolloutSpec) -> tuple[int, str]:
    """How many requests the step needs still, and what it waits for; 0 and "" if it is over."""
    said, have = slot.verdict, slot.evidence.counts.in_step
    if slot.judgement and said and said.pauses:
        return 0, f"{words_of(said, slot.judgement, slot.champion)}: look at them, then promote or abort it"
    if have < policy.min_requests:
        return policy.min_requests - have, f"{have} of {policy.min_requests} requests at {slot.percent} %"
    is_last = slot.step + 1 >= len(policy.shares) and slot.percent < 100
    if said is None or not is_last or said.outcome == "pass":
        return 0, ""
    waiting = {one.arm: one.missing for one in said.waiting}
    if waiting and "errors" not in waiting:
        return 0, "; ".join(f"{_about(one)} {_SHOWN[arm]} {slot.champion}" for arm, one in waiting.items())
    needed = waiting.get("errors", said.missing)
    shown = f"{_about(needed)} more requests must show that it fails hardly more often than {slot.champion}"
    return needed or _PART, shown


def passed(slot: Slot) -> str:
    """That the errors have passed, with the numbers; "" if they need not, or have not yet."""
    errors = next((one for one in slot.verdict.arms if one.arm == "errors"), None) if slot.verdict else None
    if not (errors and errors.is_needed and errors.outcome == "pass" and slot.judgement):
        return ""
    shown = f"it fails less than {slot.judgement.margin:.1%} more often than {slot.champion}"
    return f"{shown} (L {errors.support:.3g}, the bound is {errors.pass_at:g})"


def _about(number: int | None) -> str:
    return f"about {number:,}" if number else "some"


def beside(counts: CandidateCounts) -> str:
    return f", {counts.refused} refused beside them" if counts.refused else ""
