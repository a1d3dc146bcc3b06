"""Stakes: money that is spread over several bets at once, because nobody knows which of them is right.

E is the sum of all stakes, and starts at 1. Each outcome multiplies a stake by the factor of its bet. Then
a small part of E is spread again as at the start, so that a bet that has lost everything can still win: a
fault that begins late is found as fast as one from the beginning. The sum stays as it is. If the mean of
each factor is at most 1 under the null, E is a nonnegative supermartingale, and by Ville's inequality it
ever reaches 1 / alpha with a probability of at most alpha, however often one looks.

Source of the spreading: Herbster and Warmuth, Tracking the best expert, Machine Learning 32, 1998.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp

__all__ = ["CASH", "EVEN", "FRACTIONS", "KEPT", "START", "Stakes", "bounded_exp"]

FRACTIONS = (0.03, 0.1, 0.35, 0.97)  # g: how far above the tolerated rate the candidate may fail
CASH, START = 0.1, 0.225  # what no bet gets, and what each gets
KEPT = 0.998  # of each stake after a request of the candidate
_LONGEST = 600.0  # of a logarithm, so that its exponential is a number
_MOST = 1e12  # of a stake, so that none overflows; less than the rule allows is always valid


@dataclass(frozen=True)
class Stakes:
    """Cash, and the stake of each bet. `cash` never changes by an outcome."""

    cash: float = CASH
    staked: tuple[float, ...] = (START,) * len(FRACTIONS)

    @property
    def value(self) -> float:
        """E: the sum of all stakes."""
        return self.cash + sum(self.staked)

    def after(self, factors: Iterable[float], spreads: int, cash: float = CASH) -> "Stakes":
        """The stakes after an outcome, spread again `spreads` times. At the start `cash` was cash, and the
        rest was shared equally.

        Spreading n times is one step, because E does not change by it: a stake becomes
        .998^n stake + (1 - .998^n) E start.
        """
        staked = [min(stake * factor, _MOST) for stake, factor in zip(self.staked, factors, strict=True)]
        if not spreads:
            return Stakes(self.cash, tuple(staked))
        kept = KEPT**spreads
        spread = (1 - kept) * (self.cash + sum(staked))
        part = spread * (1 - cash) / len(staked)
        return Stakes(kept * self.cash + spread * cash, tuple(kept * stake + part for stake in staked))


EVEN = Stakes()


def bounded_exp(power: float) -> float:
    """e to that power; of one above 600, e^600, so that it is a number."""
    return exp(min(power, _LONGEST))
