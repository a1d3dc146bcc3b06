"""The verdict on a candidate: failed, passed, or inconclusive, arm by arm, with the numbers behind it.
Pure."""

from dataclasses import dataclass
from math import log
from typing import Any, Literal

from knoll.rollout.evidence.arms import ARMS, PASS_ALPHA, SUSPICION, Arm, ArmName, find_arm
from knoll.rollout.evidence.judgement import Judgement
from knoll.rollout.evidence.missing import missing_answers, missing_pairs, missing_requests
from knoll.rollout.evidence.stakes import bounded_exp

__all__ = ["ArmVerdict", "Outcome", "PassingPolicy", "Verdict", "verdict"]

Outcome = Literal["fail", "pass", "inconclusive"]
_PASS_AT = 1 / PASS_ALPHA


@dataclass(frozen=True)
class PassingPolicy:
    """What a candidate needs to pass: so many requests, besides the pass of its errors, which is not asked
    for if their margin is 1; and whether answers are compared and labels come back, so that these arms have
    to pass, too. `share` is the candidate's part of the traffic, above 0 and below 1; it only serves the
    estimate of what is missing."""

    min_requests: int = 100
    share: float = 0.05
    compares: bool = False
    has_labels: bool = False


@dataclass(frozen=True)
class ArmVerdict:
    """One arm. `e` is E so far, and at `fail_at` it fails. `support` is L so far, and at `pass_at` it passes;
    0 if it cannot. `judged` counts the evidence of the candidate. `missing` estimates how much more it needs
    to pass if it is as good as the champion; None if that cannot be told. If the arm passes, the candidate is
    worse by at most `margin`; None if it cannot pass. `asked` is the margin of the policy; None if it has
    none. `margin` is larger if the champion fails more often: then it is the champion's rate."""

    arm: ArmName
    outcome: Outcome
    e: float
    fail_at: float
    support: float
    pass_at: float
    judged: int
    missing: int | None
    margin: float | None = None
    asked: float | None = None

    def numbers(self) -> dict[str, Any]:
        """What records and views show of it, by the names that they have there."""
        return {
            "e": self.e,
            "failAt": self.fail_at,
            "support": self.support,
            "passAt": self.pass_at,
            "judged": self.judged,
            "margin": self.margin,
            "asked": self.asked,
        }

    @property
    def rolls_back(self) -> bool:
        """Whether the arm rolls back if it fails; else it pauses."""
        return find_arm(self.arm).may_fail

    @property
    def is_needed(self) -> bool:
        """Whether the arm can pass."""
        return self.pass_at > 0


@dataclass(frozen=True)
class Verdict:
    """All arms together. `pauses` says that the answers have shifted: somebody should look. `is_suspected`
    says that the candidate, with all traffic, fails more often than the champion did, and `refuses_more` that
    it refuses more: share the traffic again. `missing` is an estimate of the candidate's requests, compared
    answers or labels that are missing to pass, and `waiting` are the arms that they are missing for."""

    outcome: Outcome
    reason: str
    arms: tuple[ArmVerdict, ...]
    missing: int | None
    waiting: tuple[ArmVerdict, ...] = ()
    pauses: bool = False
    is_suspected: bool = False
    refuses_more: bool = False


def verdict(judgement: Judgement, policy: PassingPolicy) -> Verdict:
    """The verdict by all that is judged. An arm that has failed stays failed, and one that has passed
    stays passed: E and L count by their largest value, as Ville's inequality allows."""
    arms = tuple(_arm_verdict(arm, judgement, policy) for arm in ARMS)
    failed = [one for one in arms if one.outcome == "fail" and one.rolls_back]
    shifted = [one for one in arms if one.outcome == "fail" and not one.rolls_back]
    needed = [one for one in arms if one.is_needed and _is_on(one.arm, judgement, policy)]
    missing = _most([one.missing for one in needed], policy.min_requests - judgement.errors.judged)
    is_enough = judgement.errors.judged >= policy.min_requests
    has_passed = is_enough and not shifted and all(one.outcome == "pass" for one in needed)
    outcome: Outcome = "fail" if failed else "pass" if has_passed else "inconclusive"
    return Verdict(
        outcome,
        _reason(failed or shifted, needed, missing),
        arms,
        missing,
        tuple(one for one in needed if one.outcome != "pass"),
        pauses=bool(shifted),
        is_suspected=judgement.suspicion.most >= SUSPICION[1],
        refuses_more=judgement.refusal_suspicion.most >= SUSPICION[1],
    )


def _arm_verdict(arm: Arm, judgement: Judgement, policy: PassingPolicy) -> ArmVerdict:
    e, support, judged = _numbers(arm.name, judgement)
    can_pass = arm.margin is not None and (arm.name != "errors" or judgement.margin < 1)
    has_passed = can_pass and support >= _PASS_AT * (1 - 1e-12)
    return ArmVerdict(
        arm.name,
        "fail" if e >= arm.fail_at else "pass" if has_passed else "inconclusive",
        e,
        arm.fail_at,
        support,
        _PASS_AT if can_pass else 0.0,
        judged,
        0 if has_passed else _missing(arm, judgement, policy.share) if can_pass else None,
        {"errors": judgement.margin, "agreement": judgement.differing}.get(arm.name, arm.margin),
        judgement.asked if arm.name == "errors" else None,
    )


def _numbers(name: ArmName, judgement: Judgement) -> tuple[float, float, int]:
    """The largest E, the largest L, and what was judged of the candidate."""
    if name == "outputs":
        return judgement.outputs.most, 0.0, sum(judgement.outputs.candidate)
    if name == "agreement":
        agreed = judgement.agreement
        return agreed.most, bounded_exp(agreed.most_support), agreed.requests
    if name == "labels" and judgement.has_pairs:
        return _numbers_of_labels(judgement)
    compared = {
        "errors": judgement.errors,
        "latencyP95": judgement.latency_p95,
        "latencyP50": judgement.latency_p50,
        "refusals": judgement.refusals,
        "labels": judgement.quality,
        "lateErrors": judgement.late,
    }[name]
    return compared.most, bounded_exp(compared.most_support), compared.judged


def _numbers_of_labels(judgement: Judgement) -> tuple[float, float, int]:
    """Of labels that are judged twice: half of the larger E and L, as each has half of the alpha."""
    pairs, alone = judgement.labels, judgement.quality
    most, support = max(pairs.most, alone.most), max(pairs.most_support, bounded_exp(alone.most_support))
    return max(most / 2, 1.0), max(support / 2, 1.0), pairs.pairs + alone.judged


def _missing(arm: Arm, judgement: Judgement, share: float) -> int | None:
    if arm.name == "agreement":
        return missing_answers(judgement.agreement, judgement.differing, log(_PASS_AT))
    margin = arm.margin or 0.0
    if arm.name == "labels":
        needed = _PASS_AT * (1 + judgement.has_pairs)
        alone = missing_requests(judgement.quality, margin, share, log(needed))
        paired = missing_pairs(judgement.labels, margin, needed) if judgement.has_pairs else None
        return min((one for one in (alone, paired) if one is not None), default=None)
    return missing_requests(judgement.errors, judgement.margin, share, log(_PASS_AT))


def _reason(stopped: list[ArmVerdict], needed: list[ArmVerdict], missing: int | None) -> str:
    if stopped:
        return ", ".join(f"{one.arm}: E {one.e:.3g}, the bound is {one.fail_at:g}" for one in stopped)
    waiting = [one.arm for one in needed if one.outcome != "pass"]
    if waiting or missing:
        about = "an unknown number of" if missing is None else f"about {missing}"
        return f"{', '.join(waiting) or 'requests'}: {about} more are missing"
    return ", ".join(f"{one.arm}: L {one.support:.3g}, the bound is {one.pass_at:g}" for one in needed)


def _most(missing: list[int | None], requests: int) -> int | None:
    known = [one for one in missing if one is not None]
    return max(*known, requests, 0) if len(known) == len(missing) else None


def _is_on(name: ArmName, judgement: Judgement, policy: PassingPolicy) -> bool:
    needed = {
        "agreement": policy.compares or judgement.needs_agreement,
        "labels": policy.has_labels or judgement.needs_labels,
    }
    return needed.get(name, True)
