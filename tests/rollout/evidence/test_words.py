"""Why a verdict stops a rollout, in words with counts."""

from dataclasses import replace
from typing import Any

import pytest

from knoll.rollout.evidence import Compared, Judgement, PassingPolicy, Seen, Tally, verdict, words_of
from knoll.rollout.evidence.one_sample import OneSample
from knoll.rollout.evidence.paired import Paired
from knoll.rollout.evidence.shares import Shares
from knoll.rollout.evidence.two_sample import TwoSample

EDGES = (0.01, 0.1)
MINE = Tally(100, 7, 10, EDGES, (20, 30, 40), (60, 30), labelled=20, wrong=8, late=(30, 6))
THEIRS = Tally(1000, 3, 5, EDGES, (700, 200, 50), (500, 450), labelled=50, wrong=2, late=(300, 1))
REPLAYS = Tally(edges=EDGES, latency=(1, 2, 3)), Tally(edges=EDGES, latency=(4, 0, 2))
BEFORE = Tally(40, 1, 2, EDGES, (10, 10, 10), labelled=10, late=(10, 1))
JUDGEMENT = Judgement(
    Seen(THEIRS, MINE, Compared(80, 9, 12, 5, 1)),
    Seen(BEFORE, BEFORE),
    slow=0.1,
    middling=0.01,
    slow_replay=0.01,
    middling_replay=0.1,
)
FAILED = TwoSample(most=7000.0)
LIVE = "30 of 60 requests took longer than 100 ms, and 40 of 920"
MIDDLING = "50 of 60 requests took longer than 10 ms, and 230 of 920"


def words(judgement: Judgement) -> str:
    return words_of(verdict(judgement, PassingPolicy()), judgement, "v000001")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ""),
        (
            {"errors": FAILED},
            "6 of 52 requests failed, and 2 of 957 to v000001 (errors: E 7e+03, the bound is 400)",
        ),
        (
            {"late": FAILED},
            "5 of 20 later requests of its sessions failed, and 0 of 290 to v000001 (lateErrors: E 7e+03, the"
            " bound is 5000)",
        ),
        (
            {"refusals": FAILED},
            "it refused 8 of 60 requests, and 3 of 960 to v000001 (refusals: E 7e+03, the bound is 5000)",
        ),
        ({"latency_p95": FAILED}, f"{LIVE} to v000001 (latencyP95: E 7e+03, the bound is 1333.33)"),
        ({"latency_p50": FAILED}, f"{MIDDLING} to v000001 (latencyP50: E 7e+03, the bound is 1333.33)"),
        (
            {
                "latency_p95": FAILED,
                "seen": replace(JUDGEMENT.seen, candidate_replays=REPLAYS[0], champion_replays=REPLAYS[1]),
            },
            f"{LIVE}; 5 of 6 replays took longer than 10 ms, and 2 of 6 to v000001 (latencyP95: E 7e+03, the"
            " bound is 1333.33)",
        ),
        (
            {
                "latency_p50": FAILED,
                "seen": Seen(candidate_replays=REPLAYS[0], champion_replays=REPLAYS[1]),
                "middling": None,
            },
            "3 of 6 replays took longer than 100 ms, and 2 of 6 to v000001 (latencyP50: E 7e+03, the bound is"
            " 1333.33)",
        ),
        (
            {"outputs": Shares(candidate=(60, 30), most=7000.0)},
            "its 90 answers are distributed differently from those of v000001 (outputs: E 7e+03, the bound is"
            " 400)",
        ),
        (
            {"agreement": OneSample(most=7000.0)},
            "9 of 80 answers differ from those of v000001 (agreement: E 7e+03, the bound is 3333.33)",
        ),
        (
            {"labels": Paired(most=14000.0)},
            "of 12 labelled requests that both answered, only v000001 was right on 5, only it on 1; 8 of 10"
            " labelled answers were wrong, and 2 of 40 to v000001 (labels: E 7e+03, the bound is 3333.33)",
        ),
        (
            {"quality": FAILED, "has_pairs": False, "seen": replace(JUDGEMENT.seen, compared=Compared())},
            "8 of 10 labelled answers were wrong, and 2 of 40 to v000001 (labels: E 7e+03, the bound is"
            " 3333.33)",
        ),
    ],
)
def test_an_arm_that_stops_a_rollout_is_told_with_the_counts_since_it_began(
    changes: dict[str, Any], told: str
) -> None:
    assert words(replace(JUDGEMENT, **changes)) == told


def test_an_arm_that_only_pauses_is_not_told_beside_one_that_rolls_back() -> None:
    shifted = Shares(candidate=(60, 30), most=7000.0)
    both = words(replace(JUDGEMENT, errors=FAILED, late=FAILED, outputs=shifted))
    first, second = both.split("; ")
    assert first.startswith("6 of 52 requests failed, ")
    assert second.startswith("5 of 20 later requests ")
