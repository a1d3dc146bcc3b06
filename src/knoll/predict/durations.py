"""How long requests took, as KServe's model servers count it: the histogram `request_predict_seconds`.

Its buckets are those of Prometheus' clients, which KServe takes. It also tells cold requests from others, and
how they ended.
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import product

from knoll.predict.counts import Ended

__all__ = ["ENDS", "Durations"]

ENDS = (
    0.005,
    0.01,
    0.025,
    0.05,
    0.075,
    0.1,
    0.25,
    0.5,
    0.75,
    1.0,
    2.5,
    5.0,
    7.5,
    10.0,
)  # of buckets, seconds
_HOW = ("answered", "refused", "error", "timeout")

_Key = tuple[bool, str]


class Durations:
    """The event loop adds to them, and other threads read them."""

    def __init__(self) -> None:
        self._found: dict[_Key, tuple[tuple[int, ...], float]] = dict.fromkeys(
            product((False, True), _HOW), ((0,) * (len(ENDS) + 1), 0.0)
        )

    def note(self, one: Ended) -> None:
        """Count one request."""
        key = (one.is_cold, one.how)
        counts, total = self._found[key]
        bucket = bisect_left(ENDS, one.seconds)
        self._found[key] = (
            (*counts[:bucket], counts[bucket] + 1, *counts[bucket + 1 :]),
            total + one.seconds,
        )

    def __iter__(self) -> Iterator[tuple[bool, str, tuple[int, ...], float]]:
        """Of each kind of requests: whether they are cold, how they ended, the counts of the buckets, and the
        sum of the seconds."""
        for (is_cold, how), (counts, total) in self._found.items():
            yield is_cold, how, counts, total
