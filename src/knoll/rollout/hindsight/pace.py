"""The pace of a trial by another policy: how many of its steps are over, as far as records tell.

Records say how many requests a step had when it ended, but not when each of them came. A step ends at the
first look after its requests, and what comes more is lost for the next one. So the records give bounds: at
least as many steps are over as with a look at each record alone, at most as many as with a look after each
request. With `idle: promote` a step without requests is over, too, and each minute may have been one.
"""

from dataclasses import dataclass, replace

from knoll.rollout.decide import IDLE

__all__ = ["Pace"]


@dataclass(frozen=True)
class Pace:
    """`least` steps are over for sure, and `in_step` requests have come since; `has_rest` if more may have
    come since, because the last one was over early. `total` is that of all requests, and `asked` the steps
    that a human has ended without them. If steps may end without requests, `idle` is the seconds so far, and
    `is_skipped` says whether the last step has ended so for sure."""

    min_requests: int
    least: int = 0
    in_step: int = 0
    has_rest: bool = False
    total: int = 0
    asked: int = 0
    idle: float = 0.0
    is_skipped: bool = False

    def after(self, requests: int, *, is_asked: bool) -> "Pace":
        """The pace after a recorded step with so many requests."""
        in_step = self.in_step + requests
        is_over = is_asked or in_step >= self.min_requests
        return replace(
            self,
            least=self.least + is_over,
            in_step=0 if is_over else in_step,
            has_rest=not is_asked and (self.has_rest or in_step > self.min_requests),
            total=self.total + requests,
            asked=self.asked + is_asked,
        )

    def without_requests(self, seconds: float, steps: int, *, was_skipped: bool) -> "Pace":
        """The pace of a policy of so many `steps` with `idle: promote`, after a recorded step of so many
        seconds. If that `was_skipped`, it ended because no request came."""
        is_over = was_skipped and not self.in_step and not self.has_rest and self.least < steps
        least = self.least + is_over
        is_skipped = self.is_skipped or (is_over and least == steps)
        return replace(self, least=least, idle=self.idle + seconds, is_skipped=is_skipped)

    @property
    def may_be_idle(self) -> bool:
        """Whether a step may have ended without requests."""
        return self.idle >= IDLE.total_seconds()

    def is_through(self, steps: int) -> bool | None:
        """Whether so many steps are over; None if the records do not tell."""
        if self.least >= steps:
            return True
        most = self.total // self.min_requests + self.asked + self.idle // IDLE.total_seconds()
        return None if most >= steps else False
