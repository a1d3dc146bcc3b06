"""The numbers of a verdict are recorded, and read again."""

from dataclasses import replace
from typing import Any

import pytest

from knoll.rollout.evidence import Seen, Tally, arms_from_fields, begin, judge, verdict, verdict_to_fields
from knoll.rollout.evidence.verdict import PassingPolicy


def test_what_is_recorded_is_read_with_its_outcome() -> None:
    state = judge(begin(Tally(1000), Seen()), Seen(Tally(900), Tally(300)))
    found = verdict(state, PassingPolicy())
    read = arms_from_fields(verdict_to_fields(found))
    assert [(one.arm, one.outcome) for one in read] == [("errors", "pass"), ("refusals", "inconclusive")]
    known = {one.arm: one for one in found.arms}
    assert read == tuple(replace(known[one.arm], missing=None) for one in read)
    assert {one.judged for one in read} == {300}


@pytest.mark.parametrize(
    ("numbers", "outcome"),
    [
        ({"e": 400, "failAt": 400}, "fail"),
        ({"e": 399, "failAt": 400, "support": 100, "passAt": 100}, "pass"),
        ({"e": 399, "failAt": 400, "support": 99, "passAt": 100}, "inconclusive"),
        ({"failAt": 400}, "inconclusive"),
        ({"failAt": 1, "support": 0.9, "passAt": 0.9}, "pass"),
    ],
)
def test_an_arm_has_failed_or_passed_from_its_bound_on(numbers: dict[str, Any], outcome: str) -> None:
    assert [one.outcome for one in arms_from_fields({"errors": numbers})] == [outcome]


def test_arms_of_another_knoll_and_what_is_no_number_are_passed_over() -> None:
    numbers = {"e": 500, "failAt": 400.0, "judged": 3}
    read = arms_from_fields({"errors": numbers, "ofTomorrow": numbers, "labels": 7, "refusals": {"e": "x"}})
    assert [(one.arm, one.outcome, one.judged) for one in read] == [("errors", "fail", 3)]
