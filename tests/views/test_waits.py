"""Each wait of a rollout says what for, how much there is, since when, and what ends it."""

from typing import Any

import pytest

from knoll.models import RolloutSpec
from knoll.rollout.comparison import Comparison, Held
from knoll.rollout.counted import CandidateCounts, Evidence
from knoll.rollout.evidence import Seen, Tally, begin, judge
from knoll.rollout.slot import Slot
from knoll.views.waits import approval_wait, rollout_wait
from knoll.waits import wait_document

SINCE, SEEN = "2026-01-01T10:00:00+00:00", "2026-01-01T10:00:05+00:00"
TRIAL = Slot(champion="v000001", candidate="v000002", percent=50, since=SINCE, phase="Canary", seen=SEEN)
COMPARED = Comparison("v000002", "v000001", SINCE, samples=64, asked=3)
POLICY = RolloutSpec.model_validate(
    {"idle": "hold", "minRequests": 5, "bake": "90s", "progressDeadline": "2m"}
)


@pytest.mark.parametrize(
    ("changes", "words", "until"),
    [
        ({}, "0 of 5 requests at 50 %; idle: hold waits for traffic", ""),
        (
            {
                "step": 2,
                "evidence": Evidence(CandidateCounts(5, 0, 0, 5)),
                "judgement": begin(Tally(1000), Seen()),
            },
            "about 244 more requests must show that it fails hardly more often than v000001; "
            "idle: hold waits for traffic",
            "",
        ),
        ({"seen": ""}, "50 % of the traffic to reach v000002", ""),
        (
            {"phase": "Deploying"},
            "v000002 to load, verify and answer its warm-up; at 10:02:00 v000002 is rolled back",
            "2026-01-01T10:02:00+00:00",
        ),
        (
            {"phase": "Deploying", "comparison": COMPARED},
            "v000002 to answer the samples of v000001, 3 of 64; at 10:02:00 v000002 is rolled back",
            "2026-01-01T10:02:00+00:00",
        ),
        (
            {"phase": "Baking"},
            "the bake at 100 %; at 10:01:35 v000002 becomes the champion",
            "2026-01-01T10:01:35+00:00",
        ),
        ({"phase": "Baking", "seen": "", "percent": 100}, "100 % of the traffic to reach v000002", ""),
        ({"phase": "RollingBack", "steps_back": True}, "v000001 to get the traffic back", ""),
        (
            {"phase": "RollingBack"},
            "v000001 to be ready again; at 10:02:00 another Revision is asked for",
            "2026-01-01T10:02:00+00:00",
        ),
    ],
)
def test_a_rollout_says_what_it_waits_for(changes: dict[str, Any], words: str, until: str) -> None:
    wait = rollout_wait(Slot(**{**vars(TRIAL), **changes}), POLICY)
    assert wait is not None
    assert (wait.words, wait.until) == (words, until)


def test_requests_are_counted_against_their_bound() -> None:
    slot = Slot(**{**vars(TRIAL), "evidence": Evidence(CandidateCounts(7, 0, 0, 3))})
    assert wait_document(rollout_wait(slot, POLICY)) == {
        "for": "3 of 5 requests at 50 %",
        "have": 3,
        "need": 5,
        "since": SEEN,
        "until": "",
        "ends": "idle: hold waits for traffic",
    }
    assert rollout_wait(Slot(), POLICY) is None


def test_without_any_request_a_rollout_that_promotes_says_when_it_goes_on() -> None:
    wait = rollout_wait(TRIAL, POLICY.model_copy(update={"idle": "promote"}))
    assert wait is not None
    assert wait.words.endswith("idle: promote goes on after a minute without any request")


def test_answers_that_have_shifted_wait_for_a_human() -> None:
    state = begin(Tally(1000, outputs=(500, 500)), Seen())
    for number in range(1, 40):
        champion = Tally(30 * number, outputs=(15 * number, 15 * number))
        state = judge(state, Seen(champion, Tally(10 * number, outputs=(0, 10 * number))))
    wait = rollout_wait(Slot(**{**vars(TRIAL), "judgement": state}), POLICY)
    assert wait is not None
    assert wait.words.endswith("look at them, then promote or abort it")


def test_approval_is_a_wait_that_a_command_ends() -> None:
    wait = approval_wait("digits", Held("v000002", "agrees with v000001 on 1 of 64 held-out samples", SINCE))
    assert wait_document(wait) == {
        "for": "approval of v000002, which agrees with v000001 on 1 of 64 held-out samples",
        "have": 0,
        "need": 1,
        "since": SINCE,
        "until": "",
        "ends": "knoll rollout approve digits v000002",
    }
