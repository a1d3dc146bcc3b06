"""What the evidence asks for: to roll back, to share the traffic again, or to wait, in words."""

from dataclasses import replace
from math import log

import pytest

from knoll.models import RolloutSpec
from knoll.rollout.counted import CandidateCounts, Evidence
from knoll.rollout.evidence import Judgement, Seen, Tally, begin, judge
from knoll.rollout.evidence.one_sample import OneSample
from knoll.rollout.evidence.shares import Shares
from knoll.rollout.evidence.two_sample import TwoSample
from knoll.rollout.slot import Slot
from knoll.rollout.steps import NotYet, Rollback, Shift, Step
from knoll.rollout.weighed import beside, failing, missing, passed, suspected

POLICY = RolloutSpec.model_validate({"steps": [20, 50], "minRequests": 20})
LAST = Slot(champion="v000001", candidate="v000002", phase="Canary", step=1, percent=50)
ENOUGH = replace(LAST, evidence=Evidence(CandidateCounts(300, in_step=300)))


def answered(slot: Slot, requests: int, margin: float = 0.02, errors: int = 0) -> Slot:
    """The slot after both versions have answered so many requests; some of the candidate's failed."""
    seen = Seen(Tally(requests), Tally(requests, errors))
    counts = CandidateCounts(requests, errors, in_step=requests)
    return replace(
        slot, evidence=Evidence(counts), judgement=judge(begin(Tally(1000), Seen(), margin), seen, True)
    )


def test_the_last_step_says_how_many_requests_must_show_that_the_version_is_as_good() -> None:
    needed, words = missing(answered(LAST, 20), POLICY)
    assert needed > 100
    assert words == f"about {needed:,} more requests must show that it fails hardly more often than v000001"
    assert missing(answered(LAST, 19), POLICY) == (1, "19 of 20 requests at 50 %")
    assert missing(answered(replace(LAST, step=0), 20), POLICY) == (0, "")
    assert missing(answered(replace(LAST, percent=100), 20), POLICY) == (0, "")
    assert missing(answered(LAST, 400), POLICY) == (0, "")


PASSED = TwoSample(judged=300, most_support=log(200))
AGREE = "more requests must be answered by both to show that it agrees with v000001"
LABEL = "more labels must show that it is wrong hardly more often than v000001"


@pytest.mark.parametrize(
    ("judgement", "needed", "words"),
    [
        (Judgement(errors=PASSED, needs_agreement=True), 0, f"about 1,477 {AGREE}"),
        (
            Judgement(errors=PASSED, needs_agreement=True, agreement=OneSample(100, 5), needs_labels=True),
            0,
            f"some {AGREE}; about 172 {LABEL}",
        ),
        (
            Judgement(needs_agreement=True),
            599,
            "about 599 more requests must show that it fails hardly more often than v000001",
        ),
        (
            Judgement(errors=PASSED, outputs=Shares((60, 60), (300, 0), most=500.0)),
            0,
            "its 300 answers are distributed differently from those of v000001 (outputs: E 5e+02, the bound"
            " is 400): look at them, then promote or abort it",
        ),
    ],
)
def test_a_step_without_enough_evidence_says_what_must_be_shown_still(
    judgement: Judgement, needed: int, words: str
) -> None:
    """No request is asked for where requests are not what is missing."""
    assert missing(replace(ENOUGH, judgement=judgement), POLICY) == (needed, words)


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


def test_a_version_that_fails_beside_the_champion_is_rolled_back_with_the_numbers_of_both() -> None:
    step = failing(answered(LAST, 20, errors=10), POLICY)
    assert step is not None
    assert step.reason.startswith("10 of 20 requests failed, and 0 of 20 to v000001 (errors: E ")
    assert failing(answered(LAST, 20), POLICY) is None


BAKING = replace(LAST, phase="Baking", percent=100)
FAILS = OneSample(40, 20, most=20.0)
BAD = Judgement(errors=TwoSample(past=970, past_bad=9), suspicion=FAILS)
FAILED = "20 of 40 requests failed at 100 %, and 0.9% of those to v000001 before (E 20, the bound is 20)"
REFUSING = Judgement(refusals=TwoSample(past=970, past_bad=49), refusal_suspicion=FAILS)
REFUSED = (
    "20 of 40 requests were refused at 100 %, and 4.9% of those to v000001 before (E 20, the bound is 20)"
)


@pytest.mark.parametrize(
    ("judgement", "before", "policy", "step"),
    [
        (BAD, 1, {}, Shift(1, 50, FAILED)),
        (BAD, 2, {}, Rollback(f"{FAILED}; it has failed so 2 times before")),
        (BAD, 0, {"strategy": "resource"}, Rollback(FAILED)),
        (BAD, 0, {"steps": [20]}, Shift(0, 50, FAILED)),
        (BAD, 0, {"steps": []}, Shift(0, 50, FAILED)),
        (REFUSING, 2, {}, Shift(1, 50, REFUSED)),
        (
            REFUSING,
            0,
            {"strategy": "resource"},
            NotYet(f"{REFUSED}: look at them, then promote or abort it"),
        ),
        (replace(BAD, suspicion=replace(FAILS, most=19.9)), 0, {}, None),
        (None, 0, {}, None),
    ],
)
def test_a_suspicion_shares_the_traffic_again_where_both_versions_can_run(
    judgement: Judgement | None, before: int, policy: dict[str, object], step: Step | None
) -> None:
    slot = replace(BAKING, judgement=judgement, evidence=Evidence(suspicions=before))
    assert suspected(slot, POLICY.model_copy(update=policy)) == step
    assert suspected(replace(slot, percent=99), POLICY) is None


def test_refused_requests_are_told_beside_the_others() -> None:
    assert beside(CandidateCounts(refused=3)) == ", 3 refused beside them"
    assert beside(CandidateCounts()) == ""
