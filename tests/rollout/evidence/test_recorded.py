"""The numbers of a verdict are recorded, and read again."""

from knoll.rollout.evidence import Seen, Tally, arms_from_fields, begin, judge, verdict, verdict_to_fields
from knoll.rollout.evidence.verdict import PassingPolicy


def test_what_is_recorded_is_read_with_its_outcome() -> None:
    state = judge(begin(Tally(1000), Seen()), Seen(Tally(900), Tally(300)))
    found = verdict(state, PassingPolicy())
    read = arms_from_fields(verdict_to_fields(found))
    assert [(one.arm, one.outcome) for one in read] == [("errors", "pass"), ("refusals", "inconclusive")]
    known = {one.arm: one for one in found.arms}
    assert all(
        (one.e, one.support, one.judged, one.margin)
        == (known[one.arm].e, known[one.arm].support, 300, known[one.arm].margin)
        for one in read
    )


def test_arms_of_another_knoll_and_what_is_no_number_are_passed_over() -> None:
    numbers = {"e": 500, "failAt": 400.0, "judged": 3}
    read = arms_from_fields({"errors": numbers, "ofTomorrow": numbers, "labels": 7, "refusals": {"e": "x"}})
    assert [(one.arm, one.outcome, one.judged) for one in read] == [("errors", "fail", 3)]
