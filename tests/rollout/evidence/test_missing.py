"""What is missing until an arm passes: the numbers that follow from the formulas."""

from math import log

import pytest

from knoll.rollout.evidence.missing import missing_answers, missing_pairs, missing_requests
from knoll.rollout.evidence.one_sample import OneSample
from knoll.rollout.evidence.paired import Paired
from knoll.rollout.evidence.stakes import Stakes
from knoll.rollout.evidence.two_sample import TwoSample

NEEDED = log(100)


@pytest.mark.parametrize(
    ("bad", "support", "margin", "share", "missing"),
    [
        (0, 0.0, 0.02, 0.5, 244),
        (10, 2.0, 0.02, 0.2, 300),
        (100, 0.0, 0.05, 0.05, 430),
        (10, 9.0, 0.02, 0.5, 0),
    ],
)
def test_requests_are_missing_by_the_rate_of_the_champion(
    bad: int, support: float, margin: float, share: float, missing: int
) -> None:
    state = TwoSample(past=1000, past_bad=bad, support=support)
    assert missing_requests(state, margin, share, NEEDED) == missing
    assert missing_requests(state, margin, 1.0, NEEDED) is None, "nothing is compared"


@pytest.mark.parametrize(
    ("answers", "bad", "support", "tolerated", "missing"),
    [
        (0, 0, 0.0, 0.02, 1477),
        (100, 0, 0.0, 0.02, 358),
        (100, 1, 2.0, 0.05, 106),
        (100, 1, 9.0, 0.05, 0),
        (100, 5, 0.0, 0.02, None),
        (270, 0, 0.0, 0.001, None),
    ],
)
def test_answers_are_missing_unless_they_differ_too_often(
    answers: int, bad: int, support: float, tolerated: float, missing: int | None
) -> None:
    """With no answer yet, 1 % of them are thought to differ; with 270 alike, 1 in 1,000."""
    state = OneSample(requests=answers, bad=bad, support=support)
    assert missing_answers(state, tolerated, NEEDED) == missing


@pytest.mark.parametrize(("margin", "missing"), [(0.02, 4206), (0.05, 619), (0.2, 54)])
def test_pairs_are_missing_by_the_bet_that_wins_most(margin: float, missing: int) -> None:
    assert missing_pairs(Paired(), margin, 100) == missing


def test_bets_that_have_won_need_fewer_pairs() -> None:
    won = Paired(passing=Stakes(0.0, (0.1, 2.0, 0.1, 0.1, 0.1)))
    assert missing_pairs(won, 0.05, 100) == 390
    assert missing_pairs(Paired(passing=Stakes(0.0, (200.0, 0.0, 0.0, 0.0, 0.0))), 0.05, 100) == 0
    assert missing_pairs(Paired(), 0.0, 100) is None
