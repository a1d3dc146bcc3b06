"""One sample: whether something fails more often than a tolerated rate, without a champion beside it.

E stakes money on rates above the tolerated one, theta = tolerated + g (1 - tolerated), against the
tolerated rate itself: a failure multiplies a stake by theta / tolerated, a success by (1 - theta) / (1 -
tolerated). L bets on the rate of the past, as far as it is below the tolerated one, to show that the true
rate is below it.

Assumption: the outcomes are independent. Nothing is compared, so an outage that also hits the champion
counts: use it only where that is meant (answers that differ), or to split the traffic again (the bake).

Sources: Waudby-Smith and Ramdas, arXiv 2010.09686, for betting on a mean; the stakes are those of `stakes`.
Measured with a tolerance of 2 % and alpha .25 %: 100 % is found in 2 requests at p95, 50 % in 13, 20 % in
63. L reaches 100 after 263 successes.
"""

from dataclasses import dataclass
from math import log

from knoll.rollout.evidence.bets import past_rate
from knoll.rollout.evidence.stakes import EVEN, FRACTIONS, Stakes, bounded_exp

__all__ = ["OneSample"]


@dataclass(frozen=True)
class OneSample:
    """The state: requests and failures so far, E and L as in `two_sample`."""

    requests: int = 0
    bad: int = 0
    stakes: Stakes = EVEN
    most: float = 1.0
    support: float = 0.0
    most_support: float = 0.0

    def after_batch(self, tolerated: float, requests: int, bad: int) -> "OneSample":
        """The state after `requests` more, `bad` of them bad. `tolerated` is above 0 and below 1."""
        if not requests:
            return self
        good = requests - bad
        rates = [tolerated + part * (1 - tolerated) for part in FRACTIONS]
        powers = (_log_factor(rate, tolerated, good, bad) for rate in rates)
        stakes = self.stakes.after(map(bounded_exp, powers), requests)
        past = min(past_rate(self.bad, self.requests), tolerated)
        support = self.support + _log_factor(past, tolerated, good, bad)
        return OneSample(
            self.requests + requests,
            self.bad + bad,
            stakes,
            max(self.most, stakes.value),
            support,
            max(self.most_support, support),
        )


def _log_factor(rate: float, tolerated: float, good: int, bad: int) -> float:
    return bad * log(rate / tolerated) + good * log((1 - rate) / (1 - tolerated))
