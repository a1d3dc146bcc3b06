"""Whether a report counts what can be, as far as that is known without asking anybody. Pure.

A proof says who reports, and not that its counts are right: a predictor may have a fault, or be taken over.
"""

from datetime import datetime

from knoll.records.evidence import Report

__all__ = ["MOST_PER_SECOND", "MOST_REPLICAS", "most_replicas", "why_impossible"]

MOST_REPLICAS = 1_000  # of one version, from the start
_MORE_REPLICAS = 10  # with each minute that its Model is old
MOST_PER_SECOND = 10_000  # requests that one process may answer
_SLACK = 60.0  # seconds between the clocks of two machines


def why_impossible(report: Report, before: Report | None, since: str, asked: int | None) -> str:
    """Why the counts cannot be; "" if they can. `before` is what the same process has reported, and `since`
    the time before which it can have counted nothing. `asked` are the requests that the Revision got, if the
    platform has counted them itself."""
    counted = f"{report.requests:,} requests"
    if asked is not None and report.requests > asked:
        return f"{counted} are reported, and the gateway has sent it {asked:,}"
    more, failed, refused = (now - then for now, then in zip(_counts(report), _counts(before), strict=True))
    if more >= 0 and not (failed >= 0 and refused >= 0 and failed + refused <= more):
        return f"of {more:,} more requests {failed:,} more have failed, and {refused:,} more were refused"
    seconds = _seconds(since, report.reported_at)
    if more < 0:
        return f"{counted} are reported after {report.requests - more:,}" if seconds > _SLACK else ""
    if more > MOST_PER_SECOND * (seconds + _SLACK):
        return f"{more:,} requests in {seconds:,.0f} s are more than one process answers"
    return ""


def most_replicas(created: str, now: datetime) -> int:
    """How many replicas of one version can have served since the Model was created."""
    return MOST_REPLICAS + int(_seconds(created, now.isoformat()) / 60 * _MORE_REPLICAS)


def _counts(report: Report | None) -> tuple[int, int, int]:
    """Requests, those that failed, and those that were refused."""
    return (report.requests, report.errors, report.refused or 0) if report else (0, 0, 0)


def _seconds(since: str, until: str) -> float:
    """The time between; 0 if it is negative, or if either is no time."""
    try:
        return max(0.0, (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
