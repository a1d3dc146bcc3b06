"""One outcome a session: what a predictor counts where visitors stay with one version."""

import pytest

from knoll.predict.bins import Bins
from knoll.predict.counts import Ended, PredictorCounts
from knoll.predict.sessions import Sessions
from knoll.request_limits import CLIENT_GONE

BINS = Bins("none", 0, lambda _: None)


def ended(session: str, status: int = 200, *, is_cold: bool = False) -> Ended:
    return Ended(status, 0.01, is_cold, session=session)


def counted(*requests: Ended, every: float = 1.0, most: int = 100) -> PredictorCounts:
    """The counts of requests that end one after the other, in so many seconds each."""
    sessions, counts = Sessions(most), PredictorCounts.of(BINS)
    for number, one in enumerate(requests):
        counts = counts.plus(one, sessions.note(one, number * every))
    return counts


def test_a_session_is_one_outcome_however_often_it_asks() -> None:
    """One visitor whose requests all fail is one failure; who has no session is judged by each request."""
    counts = counted(*[ended("bad", 500)] * 50, *[ended("good")] * 50, ended(""), ended("", 500))
    assert (counts.all.requests, counts.all.errors) == (102, 51)
    assert (counts.judged.requests, counts.judged.errors) == (4, 2)
    assert (counts.sessions, counts.failed_sessions) == (2, 1)


def test_the_first_warm_request_is_the_outcome_and_stays_it() -> None:
    counts = counted(ended("a", 500, is_cold=True), ended("a"), ended("a", 500), ended("a", 400))
    assert (counts.judged.requests, counts.judged.errors, counts.judged.refused) == (1, 0, 0)
    assert (counts.sessions, counts.failed_sessions) == (1, 1)


@pytest.mark.parametrize(("status", "has_failed"), [(200, 0), (400, 0), (500, 1), (CLIENT_GONE, 1)])
def test_a_session_has_failed_if_any_request_has(status: int, has_failed: int) -> None:
    assert counted(ended("a"), ended("a", status), ended("a", status)).failed_sessions == has_failed


def test_after_half_an_hour_a_session_begins_anew() -> None:
    assert counted(ended("a", 500), ended("a", 500), ended("a"), every=1801).sessions == 3
    counts = counted(ended("a", 500), ended("a", 500), ended("a"), every=1799)
    assert (counts.sessions, counts.failed_sessions, counts.judged.requests) == (1, 1, 1)


def late(*requests: Ended, every: float) -> tuple[int, int]:
    counts = counted(*requests, every=every)
    assert counts.judged.requests == counts.sessions, "a late outcome is no first one"
    return counts.late, counts.failed_late


def test_a_session_that_goes_on_has_an_outcome_a_minute_until_one_has_failed() -> None:
    assert late(*[ended("a")] * 13, every=10) == (2, 0)
    assert late(*[ended("a")] * 13, every=61) == (12, 0)
    assert late(ended("a"), ended("a"), *[ended("a", 500)] * 50, every=60) == (2, 1)
    assert late(ended("a", 500), *[ended("a")] * 50, every=60) == (0, 0)
    assert counted(*[ended("")] * 50, every=60).late == 0


def test_what_is_cold_or_refused_is_no_late_outcome_and_the_next_request_may_be_one() -> None:
    waiting = ended("a", 400), ended("a", 500, is_cold=True)
    assert late(ended("a"), *waiting, ended("a", 500), every=60) == (1, 1)
    assert late(ended("a"), *waiting, every=60) == (0, 0)
    assert late(ended("a", 400), ended("a", CLIENT_GONE), every=60) == (1, 1)


def test_only_the_last_sessions_are_remembered() -> None:
    """One that asks again and again is not forgotten."""
    visitors = [ended(f"{number}") for number in range(50)]
    counts = counted(*(one for visitor in visitors for one in (ended("often"), visitor)), most=3)
    assert counts.sessions == 51
    assert counted(*visitors, *visitors, most=3).sessions == 100
