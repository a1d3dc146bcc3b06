"""The pace of a trial by another policy: how many of its steps are over, as far as records tell.

Records say how many requests a step had when it ended, but not when each of them came. A step ends at the
first look after its requests, and what comes more is lost for the next one. So the records give bounds: at
least as many steps are over as with a look at each record alone, at most as many as with a look after each
request.
"""

from dataclasses import dataclass

__all__ = ["Pace"]


@dataclass(frozen=True)
class Pace:
    """`least` steps are over for sure, and `in_step` requests have come since. `total` is that of all
    requests, and `asked` the steps that a human has ended without them."""

    min_requests: int
    least: int = 0
    in_step: int = 0
    total: int = 0
    asked: int = 0

    def after(self, requests: int, *, is_asked: bool) -> "Pace":
        """The pace after a recorded step with so many requests."""
        in_step = self.in_step + requests
        is_over = is_asked or in_step >= self.min_requests
        return Pace(
            self.min_requests,
            self.least + is_over,
            0 if is_over else in_step,
            self.total + requests,
            self.asked + is_asked,
        )

    def is_through(self, steps: int) -> bool | None:
        """Whether so many steps are over; None if the records do not tell."""
        if self.least >= steps:
            return True
        return None if self.total // self.min_requests + self.asked >= steps else False
