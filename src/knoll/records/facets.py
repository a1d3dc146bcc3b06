"""What a predictor has counted of the facets of its requests and answers."""

from dataclasses import dataclass

from pydantic import with_config

from knoll.records.record import LENIENT

__all__ = ["FACET_BINS", "MOST_FACETS", "Facets"]

MOST_FACETS = 16
FACET_BINS = 5


@with_config(LENIENT)
@dataclass(frozen=True)
class Facets:
    """Facets by name, as "image mean" or "input[3]". Each has FACET_BINS bins, whose bounds are the quintiles
    of the version's samples: `expected` counts the samples in each bin, and `counts` the requests. See
    `knoll.predict.facets`."""

    names: tuple[str, ...] = ()
    expected: tuple[tuple[int, ...], ...] = ()
    counts: tuple[tuple[int, ...], ...] = ()

    @property
    def are_possible(self) -> bool:
        """Whether each facet has a name and counts in all bins, all of them of as many requests."""
        rows = (*self.expected, *self.counts)
        are_whole = len(self.names) == len(self.expected) == len(self.counts) <= MOST_FACETS
        are_counts = all(len(row) == FACET_BINS and all(one >= 0 for one in row) for row in rows)
        return are_whole and are_counts and len({sum(row) for row in self.counts}) <= 1

    @property
    def requests(self) -> int:
        """Requests that are counted."""
        return sum(self.counts[0]) if self.counts else 0
