"""What a predictor counts of its requests, as values: how they ended, how long they took, what was answered.

A request is cold if it came before the first one was answered: it waited for the start of the process, or
took part in its first steps. How cold ones ended is also counted apart, and their answers are in no bin, so
that a comparison of two versions can leave them out of both.
"""

from bisect import bisect_left
from dataclasses import dataclass, replace

from knoll.predict.bins import SAME, Bins, Shown
from knoll.records.answered import Answered
from knoll.records.outputs import Outputs
from knoll.request_limits import CLIENT_GONE

__all__ = ["BUCKETS", "Counts", "Ended"]

_FIRST, _RATIO, _NUMBER = 0.001, 1.2, 61
# Upper ends, in seconds: from 1 ms to 56 s, so close that a version that is slower by a fifth moves each
# request into the next bucket.
BUCKETS = tuple(float(f"{_FIRST * _RATIO**index:.4g}") for index in range(_NUMBER))
_NONE = Answered(latency=(0,) * (len(BUCKETS) + 1))
_NOTHING = Outputs()


@dataclass(frozen=True)
class Ended:
    """One request: its status, the seconds that it took, whether it was cold, and what it was answered, if
    the version came to that. The status CLIENT_GONE says that the client has waited in vain."""

    status: int
    seconds: float
    is_cold: bool = False
    shown: Shown | None = None


@dataclass(frozen=True)
class Counts:
    """Requests since the process started, the cold ones among them, and their answers. `last` is the last
    one of these."""

    all: Answered = _NONE
    cold: Answered = _NONE
    outputs: Outputs = _NOTHING
    last: Shown | None = None

    @classmethod
    def of(cls, bins: Bins) -> "Counts":
        """The counts before the first request."""
        return cls(outputs=Outputs(bins.name, (0,) * bins.number))

    def plus(self, one: Ended) -> "Counts":
        """The counts after one more request."""
        return Counts(
            _plus(self.all, one),
            _plus(self.cold, one) if one.is_cold else self.cold,
            _plus_shown(self.outputs, one.shown, self.last, is_cold=one.is_cold)
            if one.shown
            else self.outputs,
            one.shown if one.shown and one.shown.is_finite else self.last,
        )


def _plus(before: Answered, one: Ended) -> Answered:
    bucket, is_timeout = bisect_left(BUCKETS, one.seconds), one.status == CLIENT_GONE
    return Answered(
        before.requests + 1,
        before.errors + (one.status >= 500),
        before.timeouts + is_timeout,
        before.refused + (400 <= one.status < 500 and not is_timeout),
        _with_one_more(before.latency, bucket),
    )


def _plus_shown(before: Outputs, shown: Shown, last: Shown | None, *, is_cold: bool) -> Outputs:
    if not shown.is_finite:
        return replace(before, not_finite=before.not_finite + 1)
    is_other = last is not None and shown.asked != last.asked
    is_constant = is_other and last is not None and shown.answered == last.answered
    found = int(is_constant) if before.bins == SAME and is_other else shown.bin
    counts = before.counts if is_cold or found is None else _with_one_more(before.counts, found)
    return replace(before, counts=counts, constant=before.constant + is_constant)


def _with_one_more(counts: tuple[int, ...], index: int) -> tuple[int, ...]:
    return (*counts[:index], counts[index] + 1, *counts[index + 1 :])
