"""What a predictor counts of its requests, without a server."""

from bisect import bisect_left
from typing import Any

import pytest

from knoll.predict.counts import BUCKETS, Ended, Judged, PredictorCounts
from knoll.records.answered import Answered
from knoll.request_limits import CLIENT_GONE


def counted(*ended: Ended) -> PredictorCounts:
    counts = PredictorCounts()
    for one in ended:
        counts = counts.plus(one, Judged(is_judged=not one.is_cold))
    return counts


def test_each_request_is_of_one_class_and_in_one_bucket() -> None:
    """A client that hung up is no refused one, though its status has a 4."""
    whole = counted(*(Ended(status, 0.02) for status in (200, 200, 400, 413, 500, 502, CLIENT_GONE))).all
    assert (whole.requests, whole.errors, whole.timeouts, whole.refused) == (7, 2, 1, 2)
    assert sum(whole.latency) == 7
    assert whole.latency[bisect_left(BUCKETS, 0.02)] == 7


def test_cold_requests_are_counted_apart_too() -> None:
    counts = counted(Ended(500, 3.0, is_cold=True), Ended(200, 0.01), Ended(400, 2.0, is_cold=True))
    assert counts.cold == counted(Ended(500, 3.0), Ended(400, 2.0)).all
    assert counts.all.less(counts.cold) == counted(Ended(200, 0.01)).all


@pytest.mark.parametrize("seconds", [0.0013, 0.0071, 0.05, 0.3, 4.2, 40.0])
def test_a_fifth_slower_is_another_bucket(seconds: float) -> None:
    """So that two versions of which one is slower by a fifth have other counts, whatever they take."""
    assert bisect_left(BUCKETS, seconds) < bisect_left(BUCKETS, seconds * 1.2)
    assert len(BUCKETS) < 64
    assert (BUCKETS[0], BUCKETS[-1] > 56, list(BUCKETS) == sorted(BUCKETS)) == (0.001, True, True)


def test_what_is_faster_or_slower_than_all_buckets_is_counted_too() -> None:
    latency = counted(Ended(200, 0.0), Ended(200, 1e9)).all.latency
    assert (latency[0], latency[-1]) == (1, 1)


@pytest.mark.parametrize(
    ("change", "is_possible"),
    [
        ({}, True),
        ({"errors": 5}, True),
        ({"errors": 6}, False),
        ({"timeouts": -1}, False),
        ({"latency": (11,)}, False),
    ],
)
def test_parts_are_no_more_than_the_whole(change: dict[str, Any], is_possible: bool) -> None:
    said: dict[str, Any] = {"requests": 10, "errors": 1, "timeouts": 2, "refused": 3, "latency": (4, 6)}
    assert Answered(**{**said, **change}).is_possible == is_possible
