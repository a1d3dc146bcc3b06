"""How long replays took: counts by bucket of seconds. Pure.

Replays are timed by who sends them, over the network, and live requests by the predictor. So they have
buckets of their own, and are never mixed with live ones: the candidate gets half of the replays and another
share of the live requests, and would look slower or faster by that alone.
"""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import zip_longest

__all__ = ["EDGES", "Times", "plus_times", "times_of", "usual_edges"]

Times = tuple[int, ...]


def usual_edges(number: int) -> tuple[float, ...]:
    """So many upper ends of buckets, in seconds: from 1 ms on, a factor of 1.2 apart, as those of
    predictors."""
    return _USUAL[:number] if number <= len(_USUAL) else tuple(map(_edge, range(number)))


def _edge(index: int) -> float:
    return float(f"{0.001 * 1.2**index:.4g}")


_USUAL = tuple(map(_edge, range(64)))


EDGES = usual_edges(55)  # up to 19 s


def times_of(seconds: Iterable[float]) -> Times:
    """The counts for so many requests, with a last number for slower ones; empty for none."""
    found = [bisect_left(EDGES, one) for one in seconds]
    return tuple(found.count(index) for index in range(len(EDGES) + 1)) if found else ()


def plus_times(one: Times, other: Times) -> Times:
    """Both together."""
    return tuple(here + there for here, there in zip_longest(one, other, fillvalue=0))
