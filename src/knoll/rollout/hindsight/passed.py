"""Whether a candidate had passed or failed by another policy, which may judge other arms by other margins."""

from collections.abc import Iterator

from knoll.models import RolloutSpec
from knoll.records.rollout import RolloutStep
from knoll.rollout.evidence import ArmVerdict, arms_from_fields
from knoll.rollout.evidence.arms import ArmName, find_arm

__all__ = ["has_passed_by", "why_not_failed", "why_not_passed"]

_EXACT = 1e-9


def has_passed_by(one: RolloutStep, policy: RolloutSpec, min_agreement: float) -> bool | None:
    """Whether all arms had passed by then that must; None if the record does not tell."""
    shown = [_is_shown(_find(one, arm), margin) for arm, margin in _needed(policy, min_agreement)]
    return False if False in shown else None if None in shown else True


def why_not_passed(one: RolloutStep, policy: RolloutSpec, min_agreement: float) -> str:
    """Why it had not passed by then, or why that is not known."""
    for name, margin in _needed(policy, min_agreement):
        arm = _find(one, name)
        if arm is None or arm.margin is None:
            return f"its record has no numbers of {name}"
        if _is_shown(arm, margin) is None:
            return f"L of {name} is recorded for a margin of {arm.margin:.2%}, not for {margin:.2%}"
        if not _is_shown(arm, margin):
            return f"L of {name} was {arm.support:.3g} of {arm.pass_at:g}: it would have waited for more"
    return ""


def why_not_failed(one: RolloutStep, policy: RolloutSpec, min_agreement: float) -> str:
    """Why nobody knows whether what a candidate was rolled back for would have counted; "" if it would
    have."""
    failed = [arm for arm in arms_from_fields(one.verdict) if arm.outcome == "fail" and arm.rolls_back]
    if not failed or any(_fails(arm, one, policy, min_agreement) for arm in failed):
        return ""
    return f"the policy judges {' and '.join(arm.arm for arm in failed)} differently, or not at all"


def _needed(policy: RolloutSpec, min_agreement: float) -> Iterator[tuple[ArmName, float]]:
    """The arms that must pass by the policy, each with its margin."""
    if policy.margin < 1:
        yield "errors", policy.margin
    if policy.compare:
        yield "agreement", _differing(min_agreement)
    if policy.labels:
        yield "labels", find_arm("labels").margin or 0.0


def _fails(arm: ArmVerdict, one: RolloutStep, policy: RolloutSpec, min_agreement: float) -> bool:
    """Whether an arm that has failed has failed by the policy, too."""
    if arm.arm == "agreement":
        is_recorded = policy.recorded is not None and one.evidence.get("recorded", 0) > 0
        is_on = policy.compare > 0 or is_recorded
        return is_on and _differing(min_agreement) <= (arm.margin or 0.0) + _EXACT
    return policy.labels if arm.arm == "labels" else True


def _differing(min_agreement: float) -> float:
    return max(find_arm("agreement").delta, 1 - min_agreement)


def _is_shown(arm: ArmVerdict | None, margin: float) -> bool | None:
    """Whether L has shown it for that margin; None if it is recorded for another one."""
    if arm is None or arm.margin is None:
        return None
    is_rate = arm.asked is not None and arm.asked < arm.margin - _EXACT  # then it holds for less, too
    if margin < arm.margin - _EXACT and not is_rate:
        return None
    if arm.support >= arm.pass_at:
        return True
    return False if margin <= arm.margin + _EXACT else None


def _find(one: RolloutStep, name: ArmName) -> ArmVerdict | None:
    return next((arm for arm in arms_from_fields(one.verdict) if arm.arm == name), None)
