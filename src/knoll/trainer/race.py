"""Which of two graphs is faster on this CPU: both run in turn, round by round, and each round is a pair.

docs/model.md has the rule. The graphs take turns in coming first. The ratio that counts is an upper bound of
their median, with 98 % confidence: that 15 tosses of a coin show heads less than 4 times has a chance of
1.8 %.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

__all__ = ["FASTER", "Race", "race"]

FASTER = 0.95  # the bound of the ratio must be below

_ROUNDS, _BOUND = 15, 12
_SECONDS = 0.01  # of a round, for each graph
_MOST = 100  # runs of a round
_WARM_UPS = 3


@dataclass(frozen=True)
class Race:
    """Seconds of CPU time that a run of either graph took, in each round."""

    plain: tuple[float, ...]
    other: tuple[float, ...]

    @property
    def ratios(self) -> list[float]:
        """The other graph's time divided by that of the plain one, from the smallest on."""
        return sorted(other / plain for plain, other in zip(self.plain, self.other, strict=True))

    @property
    def ratio(self) -> float:
        """The median of the ratios."""
        return median(self.ratios)

    @property
    def bound(self) -> float:
        """The upper bound of that median."""
        return self.ratios[_BOUND - 1]


def race(
    plain: Callable[[], object],
    other: Callable[[], object],
    clock: Callable[[], float] = time.thread_time,
) -> Race:
    """Run both graphs in turn."""
    for _ in range(_WARM_UPS):
        plain()
        other()
    runs = max(1, min(_MOST, int(_SECONDS / max(_time(plain, 1, clock), 1e-9))))
    rounds = []
    for number in range(_ROUNDS):
        if number % 2:
            second = _time(other, runs, clock)
            rounds.append((_time(plain, runs, clock), second))
        else:
            first = _time(plain, runs, clock)
            rounds.append((first, _time(other, runs, clock)))
    return Race(*zip(*rounds, strict=True))


def _time(run: Callable[[], object], runs: int, clock: Callable[[], float]) -> float:
    """Seconds of one run."""
    began = clock()
    for _ in range(runs):
        run()
    return max(clock() - began, 1e-9) / runs
