"""Whether the counts of a report are possible, as far as that is known without a request. Pure.

A proof says who reports, not that the counts are right: a predictor may have a fault, or an attacker may
control it.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import chain, repeat, zip_longest

from knoll.records.answered import Answered
from knoll.records.evidence import Report

__all__ = ["MOST_PER_SECOND", "MOST_REPLICAS", "most_replicas", "why_impossible"]

MOST_REPLICAS = 1_000  # of one version, from the start
_MORE_REPLICAS = 10  # with each minute that its Model is old
MOST_PER_SECOND = 10_000  # requests that one process may answer
_SLACK = 60.0  # seconds between the clocks of two machines


def why_impossible(report: Report, before: Report | None, since: str, asked: int | None) -> str:
    """Why the counts are impossible; "" if they are possible. `before` is what the same process has reported,
    and `since` the time before which it can have counted nothing. `asked` are the requests that the Revision
    got, if the platform has counted them itself."""
    counted = f"{report.requests:,} requests"
    if asked is not None and report.requests > asked:
        return f"it reports {counted}, but the gateway has sent it {asked:,}"
    news = _news(report.whole, before.whole if before else None)
    more, failed = news.requests, news.errors + news.timeouts
    if more >= 0 and not news.is_possible:
        return f"it reports {more:,} new requests, of them {failed:,} failed and {news.refused:,} refused"
    if more >= 0 and not _have_risen(report, before):
        return f"it reports {more:,} new requests, but its cold or judged ones are more than that or negative"
    if more >= 0 and not _have_more_sessions(report, before):
        return f"it reports {more:,} new requests, but its sessions are more than that or negative"
    if more >= 0 and before and not _have_more_answers(report, before):
        return f"it reports {more:,} new requests, but its answers are more than that or negative"
    seconds = _seconds(since, report.reported_at)
    if more < 0:
        return f"it reports {counted}, after {report.requests - more:,} before" if seconds > _SLACK else ""
    if more > MOST_PER_SECOND * (seconds + _SLACK):
        return f"{more:,} requests in {seconds:,.0f} s are more than one process can answer"
    return ""


def most_replicas(created: str, now: datetime) -> int:
    """How many replicas of one version can have served since the Model was created."""
    return MOST_REPLICAS + int(_seconds(created, now.isoformat()) / 60 * _MORE_REPLICAS)


def _have_risen(report: Report, before: Report | None) -> bool:
    """Whether the cold requests, the judged ones, and the others are as many as before or more."""
    earlier = chain(_parts(before) if before else (), repeat(None))
    return all(_news(now, then).is_possible for now, then in zip(_parts(report), earlier, strict=False))


def _have_more_sessions(report: Report, before: Report | None) -> bool:
    then = _in_sessions(before) if before else repeat(0)
    news = (now - earlier for now, earlier in zip(_in_sessions(report), then, strict=False))
    requests, sessions, failed, late, failed_late = news
    are_parts = 0 <= sessions <= requests and 0 <= failed <= requests and 0 <= failed_late <= late <= requests
    return are_parts and report.failed_sessions <= report.sessions


def _in_sessions(report: Report) -> tuple[int, ...]:
    sessions = (report.sessions, report.failed_sessions)
    return (report.requests, *sessions, report.late, report.failed_late)


def _have_more_answers(report: Report, before: Report) -> bool:
    """Whether there are no more new answers than new requests, and none is gone."""
    if not (report.outputs and before.outputs):
        return not before.outputs
    pairs = zip_longest(report.outputs.numbers, before.outputs.numbers, fillvalue=0)
    not_finite, constant, *binned = (now - then for now, then in pairs)
    if report.outputs.bins != before.outputs.bins or min(not_finite, constant, *binned) < 0:
        return False
    return max(not_finite, constant, sum(binned)) <= report.requests - before.requests


def _parts(report: Report) -> Iterator[Answered]:
    if report.cold:
        warm = report.whole.less(report.cold)
        judged = report.judged or warm
        yield from (report.cold, judged, warm.less(judged))


def _news(now: Answered, before: Answered | None) -> Answered:
    return now.less(before) if before else now


def _seconds(since: str, until: str) -> float:
    """The time between; 0 if it is negative, or if either is no time."""
    try:
        return max(0.0, (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
