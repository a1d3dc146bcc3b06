"""How requests ended, as a predictor counts it."""

from dataclasses import dataclass

from pydantic import with_config

from knoll.records.record import LENIENT

__all__ = ["Answered"]


@with_config(LENIENT)
@dataclass(frozen=True)
class Answered:
    """Requests, and those of them that failed with a 5xx, those whose client waited in vain and hung up, and
    those that were refused with a 4xx. `latency` has the requests in each bucket, and a last number for
    slower ones; see `knoll.predict.counts`."""

    requests: int = 0
    errors: int = 0
    timeouts: int = 0
    refused: int = 0
    latency: tuple[int, ...] = ()

    @property
    def numbers(self) -> tuple[int, ...]:
        """All counts in one row."""
        return (self.requests, self.errors, self.timeouts, self.refused, *self.latency)

    @property
    def is_possible(self) -> bool:
        """Whether no part is below 0 or more than the whole."""
        parts = self.errors + self.timeouts + self.refused
        return min(self.numbers) >= 0 and parts <= self.requests and sum(self.latency) <= self.requests

    def less(self, part: "Answered") -> "Answered":
        """The rest without a part, which has the same buckets. A count that would be negative shows that it
        is no part."""
        here, there = (dict(enumerate(one.numbers)) for one in (self, part))
        rest = (count - there.get(index, 0) for index, count in here.items())
        requests, errors, timeouts, refused, *latency = rest
        return Answered(requests, errors, timeouts, refused, tuple(latency))
