"""What a predictor counts of its requests, as values: how they ended, and how long they took.

A request is cold if it came before the first one was answered: it waited for the start of the process, or
took part in its first steps. How cold ones ended is also counted apart, so that a comparison of two versions
can leave them out of both.
"""

from bisect import bisect_left
from dataclasses import dataclass

from knoll.records.answered import Answered
from knoll.request_limits import CLIENT_GONE

__all__ = ["BUCKETS", "Counts", "Ended"]

_FIRST, _RATIO, _NUMBER = 0.001, 1.2, 61
# Upper ends, in seconds: from 1 ms to 56 s, so close that a version that is slower by a fifth moves each
# request into the next bucket.
BUCKETS = tuple(float(f"{_FIRST * _RATIO**index:.4g}") for index in range(_NUMBER))
_NONE = Answered(latency=(0,) * (len(BUCKETS) + 1))


@dataclass(frozen=True)
class Ended:
    """One request: its status, the seconds that it took, and whether it was cold. The status CLIENT_GONE says
    that the client has waited in vain."""

    status: int
    seconds: float
    is_cold: bool = False


@dataclass(frozen=True)
class Counts:
    """Requests since the process started, and the cold ones among them."""

    all: Answered = _NONE
    cold: Answered = _NONE

    def plus(self, one: Ended) -> "Counts":
        """The counts after one more request."""
        return Counts(_plus(self.all, one), _plus(self.cold, one) if one.is_cold else self.cold)


def _plus(before: Answered, one: Ended) -> Answered:
    bucket, is_timeout = bisect_left(BUCKETS, one.seconds), one.status == CLIENT_GONE
    return Answered(
        before.requests + 1,
        before.errors + (one.status >= 500),
        before.timeouts + is_timeout,
        before.refused + (400 <= one.status < 500 and not is_timeout),
        (*before.latency[:bucket], before.latency[bucket] + 1, *before.latency[bucket + 1 :]),
    )
