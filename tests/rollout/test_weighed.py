"""What a canary waits for, in words, and what has been shown when it passes."""

from dataclasses import replace

import pytest

from knoll.models import RolloutSpec
from knoll.rollout.counted import CandidateCounts, Evidence
from knoll.rollout.evidence import Judgement, Seen, Tally, begin, judge
from knoll.rollout.slot import Slot
from knoll.rollout.weighed import failing, missing, passed

POLICY = RolloutSpec.model_validate({"steps": [20, 50], "minRequests": 20})
LAST = Slot(champion="v000001", candidate="v000002", phase="Canary", step=1, percent=50)


def answered(slot: Slot, requests: int, margin: float = 0.02) -> Slot:
    """The slot after both versions have answered so many requests, none of which failed."""
    judgement = judge(begin(Tally(1000), Seen(), margin), Seen(Tally(requests), Tally(requests)), True)
    counts = CandidateCounts(requests, in_step=requests)
    return replace(slot, evidence=Evidence(counts), judgement=judgement)


def test_the_last_step_says_how_many_requests_must_show_that_the_version_is_as_good() -> None:
    needed, words = missing(answered(LAST, 20), POLICY)
    assert needed > 100
    assert words == f"about {needed:,} more requests must show that it fails hardly more often than v000001"
    assert missing(answered(LAST, 19), POLICY) == (1, "19 of 20 requests at 50 %")
    assert missing(answered(replace(LAST, step=0), 20), POLICY) == (0, "")
    assert missing(answered(replace(LAST, percent=100), 20), POLICY) == (0, "")
    assert missing(answered(LAST, 400), POLICY) == (0, "")


def test_a_canary_that_has_passed_says_what_was_shown() -> None:
    found = passed(answered(LAST, 400))
    assert found.startswith("it fails less than 2.0% more often than v000001 (L ")
    assert found.endswith(", the bound is 100)")
    assert passed(answered(LAST, 20)) == passed(LAST) == passed(answered(LAST, 400, margin=1.0)) == ""


@pytest.mark.parametrize(
    ("requests", "errors", "fails"), [(20, 0, False), (3, 1, True), (100, 1, False), (99, 1, True)]
)
def test_few_requests_of_a_first_version_may_fail(requests: int, errors: int, fails: bool) -> None:
    counted = Evidence(CandidateCounts(requests, errors))
    step = failing(replace(LAST, champion="", evidence=counted), POLICY)
    assert (step is not None) == fails
    assert step is None or step.reason == f"{errors} of {requests} requests failed"
    assert failing(replace(LAST, evidence=counted), POLICY) is None
    assert failing(replace(LAST, evidence=counted, judgement=Judgement()), POLICY) is None
