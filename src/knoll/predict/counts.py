"""What a predictor counts of its requests, as values: how they ended, how long they took, what was answered.
What is judged is counted apart: a warm request, and of a session only the first one. Late outcomes of
sessions are counted, too (see `sessions`).

A request is cold if it came before the first one was answered: it waited for the start of the process, or
took part in its first steps. How cold ones ended is also counted apart, and their answers are in no bin, so
that a comparison of two versions can leave them out of both.
"""

from bisect import bisect_left
from dataclasses import dataclass, replace

from knoll.predict.bins import SAME, Bins, Shown
from knoll.predict.facets import FacetBins
from knoll.records.answered import Answered
from knoll.records.facets import FACET_BINS, Facets
from knoll.records.outputs import Outputs
from knoll.request_limits import CLIENT_GONE

__all__ = ["BUCKETS", "Ended", "Judged", "PredictorCounts"]

_FIRST, _RATIO, _NUMBER = 0.001, 1.2, 61
# Upper ends, in seconds: from 1 ms to 56 s, so close that a version that is slower by a fifth moves each
# request into the next bucket.
BUCKETS = tuple(float(f"{_FIRST * _RATIO**index:.4g}") for index in range(_NUMBER))
_NONE = Answered(latency=(0,) * (len(BUCKETS) + 1))
_NOTHING = Outputs()
_NO_FACETS = Facets()


@dataclass(frozen=True)
class Ended:
    """One request: its status, the seconds that it took, whether it was cold, what it was answered, if the
    version came to that, and its session, "" if it has none. The status CLIENT_GONE says that the client has
    gone because the version was late."""

    status: int
    seconds: float
    is_cold: bool = False
    shown: Shown | None = None
    session: str = ""

    @property
    def has_failed(self) -> bool:
        """Whether that was a fault of the version."""
        return self.status >= 500 or self.status == CLIENT_GONE

    @property
    def how(self) -> str:
        """How it ended: answered, refused, error or timeout."""
        if self.has_failed:
            return "timeout" if self.status == CLIENT_GONE else "error"
        return "refused" if self.is_refused else "answered"

    @property
    def is_refused(self) -> bool:
        """Whether that was a fault of the client."""
        return 400 <= self.status < 500 and self.status != CLIENT_GONE


@dataclass(frozen=True)
class Judged:
    """What a request is of what is judged: whether it is an outcome, whether its session begins with it or
    fails for the first time, and whether it is a late outcome of that."""

    is_judged: bool
    begins: bool = False
    fails: bool = False
    is_late: bool = False


@dataclass(frozen=True)
class PredictorCounts:
    """Requests since the process started, the cold ones and the judged ones among them, their answers, and
    the sessions that began, and those in which a request failed. `last` is the last answer. `facets` are
    those of the judged requests. `late` are the late outcomes of sessions, `failed_late` of them failed."""

    all: Answered = _NONE
    cold: Answered = _NONE
    judged: Answered = _NONE
    outputs: Outputs = _NOTHING
    sessions: int = 0
    failed_sessions: int = 0
    last: Shown | None = None
    facets: Facets = _NO_FACETS
    late: int = 0
    failed_late: int = 0

    @classmethod
    def of(cls, bins: Bins, facets: FacetBins | None = None) -> "PredictorCounts":
        """The counts before the first request."""
        nothing = Outputs(bins.name, (0,) * bins.number)
        if facets is None:
            return cls(outputs=nothing)
        rows = ((0,) * FACET_BINS,) * len(facets.names)
        return cls(outputs=nothing, facets=Facets(facets.names, facets.expected, rows))

    def plus(self, one: Ended, part: Judged) -> "PredictorCounts":
        """The counts after one more request."""
        return PredictorCounts(
            _plus(self.all, one),
            _plus(self.cold, one) if one.is_cold else self.cold,
            _plus(self.judged, one) if part.is_judged else self.judged,
            _plus_shown(self.outputs, one.shown, self.last, part) if one.shown else self.outputs,
            self.sessions + part.begins,
            self.failed_sessions + part.fails,
            one.shown if one.shown and one.shown.is_finite else self.last,
            _plus_facets(self.facets, one.shown) if one.shown and part.is_judged else self.facets,
            self.late + part.is_late,
            self.failed_late + (part.is_late and one.has_failed),
        )


def _plus(before: Answered, one: Ended) -> Answered:
    bucket, is_timeout = bisect_left(BUCKETS, one.seconds), one.status == CLIENT_GONE
    return Answered(
        before.requests + 1,
        before.errors + (one.has_failed and not is_timeout),
        before.timeouts + is_timeout,
        before.refused + one.is_refused,
        _with_one_more(before.latency, bucket),
    )


def _plus_shown(before: Outputs, shown: Shown, last: Shown | None, part: Judged) -> Outputs:
    if not shown.is_finite:
        return replace(before, not_finite=before.not_finite + 1)
    is_other = last is not None and shown.asked != last.asked
    is_constant = is_other and last is not None and shown.answered == last.answered
    found = int(is_constant) if before.bins == SAME and is_other else shown.bin
    counts = before.counts
    if part.is_judged and found is not None:
        counts = _with_one_more(counts, found)
    return replace(before, counts=counts, constant=before.constant + is_constant)


def _plus_facets(before: Facets, shown: Shown) -> Facets:
    if not shown.facets:
        return before
    rows = zip(before.counts, shown.facets, strict=True)
    return replace(before, counts=tuple(_with_one_more(*row) for row in rows))


def _with_one_more(counts: tuple[int, ...], index: int) -> tuple[int, ...]:
    return (*counts[:index], counts[index] + 1, *counts[index + 1 :])
