"""Drift: whether requests and answers are distributed differently from the samples of the version. Pure.

For each facet (see `knoll.records.facets`) the population stability index compares the shares p of the
samples and q of the requests in the bins:

    PSI = sum (q - p) ln(q / p)

with half a count added to each bin, so that none is empty. Without drift, PSI / (1/n + 1/m) for n samples and
m requests is about chi-square with bins - 1 degrees of freedom. A facet has moved if PSI is .2 or more, the
usual rule of thumb, and more than what chance reaches once in 2,000 cases. With 64 samples that is .31 or
more.

Assumption: the requests are independent; many requests of one client may look like drift. Nothing is decided
by it.
Sources: Siddiqi, Credit Risk Scorecards, 2006 (the index and its bounds); Yurdakul, Statistical properties of
population stability index, 2018 (its distribution).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log

from knoll.records.evidence import Report
from knoll.records.facets import FACET_BINS

__all__ = ["Moved", "drift_of", "stability_index"]

_LEAST = 0.2
_CHI = 20.0  # that chi-square with 4 degrees of freedom exceeds with a probability of .0005


@dataclass(frozen=True)
class Moved:
    """A facet, its index, the bound of that, and the requests that it is of."""

    facet: str
    index: float
    bound: float
    requests: int

    @property
    def has_moved(self) -> bool:
        """Whether the requests are distributed differently from the samples."""
        return self.index >= self.bound


def stability_index(expected: Sequence[int], counts: Sequence[int]) -> float:
    """PSI of two rows of counts in the same bins, of equal length: 0 for equal shares, without an upper
    bound."""
    pairs = zip(_shares(expected), _shares(counts), strict=True)
    return sum((there - here) * log(there / here) for here, there in pairs)


def drift_of(reports: Iterable[Report]) -> Sequence[Moved]:
    """The facets of a version by the reports of its replicas, that which has moved most first. Reports with
    other facets than the newest one are left out."""
    known = sorted((one for one in reports if one.facets), key=lambda one: one.reported_at)
    told = [one.facets for one in known if one.facets]
    alike = [one for one in told if (one.names, one.expected) == (told[-1].names, told[-1].expected)]
    if not sum(one.requests for one in alike):
        return []
    rows = zip(*(one.counts for one in alike), strict=True)
    summed = [[sum(column) for column in zip(*row, strict=True)] for row in rows]
    found = [_moved(*one) for one in zip(told[-1].names, told[-1].expected, summed, strict=True)]
    return sorted(found, key=lambda one: one.bound - one.index)


def _moved(name: str, expected: Sequence[int], counts: Sequence[int]) -> Moved:
    samples, requests = max(sum(expected), 1), max(sum(counts), 1)
    bound = max(_LEAST, _CHI * (1 / samples + 1 / requests))
    return Moved(name, stability_index(expected, counts), bound, sum(counts))


def _shares(counts: Sequence[int]) -> list[float]:
    whole = sum(counts) + FACET_BINS / 2
    return [(one + 0.5) / whole for one in counts]
