"""The numbers of a verdict, as the records of steps keep them. Pure."""

from collections.abc import Mapping
from typing import Any

from knoll.rollout.evidence.arms import ARMS
from knoll.rollout.evidence.verdict import ArmVerdict, Outcome, Verdict

__all__ = ["arms_from_fields", "verdict_to_fields"]


def verdict_to_fields(found: Verdict) -> dict[str, Any]:
    """The numbers of each arm that has evidence."""
    return {one.arm: one.numbers() for one in found.arms if one.judged}


def arms_from_fields(fields: Mapping[str, Any]) -> tuple[ArmVerdict, ...]:
    """The arms in a record. Those that only a newer knoll knows, and those that are no numbers, are passed
    over."""
    known = ((arm.name, fields.get(arm.name)) for arm in ARMS)
    found = (_arm(name, numbers) for name, numbers in known if isinstance(numbers, Mapping))
    return tuple(one for one in found if one.fail_at > 0)


def _arm(name: Any, numbers: Mapping[str, Any]) -> ArmVerdict:
    e, fail_at, support, pass_at = (_number(numbers, key) for key in ("e", "failAt", "support", "passAt"))
    failed, passed = e >= fail_at, 0 < pass_at <= support
    outcome: Outcome = "fail" if failed else "pass" if passed else "inconclusive"
    margin, asked = (
        _number(numbers, key) if numbers.get(key) is not None else None for key in ("margin", "asked")
    )
    judged = int(_number(numbers, "judged"))
    return ArmVerdict(name, outcome, e, fail_at, support, pass_at, judged, None, margin, asked)


def _number(numbers: Mapping[str, Any], key: str) -> float:
    found = numbers.get(key)
    return float(found) if isinstance(found, int | float) else 0.0
