"""Bets: by which factors one outcome of the champion or of the candidate raises or lowers an e-value.

A bet names a rate of failure for each side, theta_c and theta_b, which must be known before the outcome. The
null hypothesis is "the candidate's rate exceeds the champion's by at most delta". Its point nearest to the
bet has the rates s + delta and s, where s is the rate that minimises

    share KL(theta_c | s + delta) + (1 - share) KL(theta_b | s)

and KL is the divergence of two Bernoulli rates. The factor of an outcome is its probability under the bet
over that under the nearest point. Under each point of the null the mean of the factors over both sides,
weighted by `share`, is at most 1: the null is a convex set, and s is the reverse information projection on
it.

Sources: Turner, Ly, Grünwald, arXiv 2106.02693 (delta = 0); Turner, Grünwald, arXiv 2203.09785 (a margin).
"""

from dataclasses import dataclass

__all__ = ["NO_BET", "Bet", "nearest_rate", "past_rate", "two_sample_bet"]

_BAD, _REQUESTS = 0.3, 30.0  # what is added to the champion's past: a base of 1 % before the first request
_CLOSE = 1e-14
_MOST_STEPS = 100


@dataclass(frozen=True)
class Bet:
    """The factors of the four outcomes."""

    candidate_bad: float = 1.0
    candidate_good: float = 1.0
    champion_bad: float = 1.0
    champion_good: float = 1.0

    def factor(self, is_candidate: bool, is_bad: bool) -> float:
        """The factor of one outcome."""
        if is_candidate:
            return self.candidate_bad if is_bad else self.candidate_good
        return self.champion_bad if is_bad else self.champion_good


NO_BET = Bet()


def past_rate(bad: float, requests: float) -> float:
    """theta_b: the rate of failure that past requests suggest, (bad + .3) / (requests + 30). It is above 0
    and below 1."""
    return (bad + _BAD) / (requests + _REQUESTS)


def two_sample_bet(theta_c: float, theta_b: float, delta: float, share: float) -> Bet:
    """The factors of a bet against "the candidate fails at most `delta` more often than the champion", or,
    if theta_c < theta_b + delta, against "at least `delta` more often".

    `share` is the candidate's part of the requests. Without both sides nothing can be compared: no bet.
    """
    if not 0 < share < 1:
        return NO_BET
    rate = nearest_rate(theta_c, theta_b, delta, share)
    return Bet(
        theta_c / (rate + delta),
        (1 - theta_c) / (1 - rate - delta),
        theta_b / rate,
        (1 - theta_b) / (1 - rate),
    )


def nearest_rate(theta_c: float, theta_b: float, delta: float, share: float) -> float:
    """s: the champion's rate at the point of the null that is nearest to the bet.

    It lies between theta_b and theta_c - delta, above 0 and below 1 - delta. With delta = 0 it is the mean
    share theta_c + (1 - share) theta_b. Otherwise it is the one root there of a cubic, found by Newton's
    steps within a bracket.
    """
    start = share * (theta_c - delta) + (1 - share) * theta_b
    if delta == 0:
        return start
    low, high = max(min(theta_b, theta_c - delta), 0.0), min(max(theta_b, theta_c - delta), 1.0 - delta)
    rate = start if low < start < high else (low + high) / 2
    for _ in range(_MOST_STEPS):
        value, slope = _slope_of_divergence(rate, theta_c, theta_b, delta, share)
        low, high = (low, rate) if value > 0 else (rate, high)
        after = rate - value / slope if slope else low
        if not low < after < high:
            after = (low + high) / 2
        if abs(after - rate) <= _CLOSE * after:
            return after
        rate = after
    return rate


def _slope_of_divergence(
    rate: float, theta_c: float, theta_b: float, delta: float, share: float
) -> tuple[float, float]:
    """The derivative of the weighted divergence by s, times s (1 - s) (s + delta) (1 - s - delta), and
    its own derivative."""
    above = rate + delta
    here, there = rate * (1 - rate), above * (1 - above)
    value = share * (above - theta_c) * here + (1 - share) * (rate - theta_b) * there
    slope = share * (here + (above - theta_c) * (1 - 2 * rate)) + (1 - share) * (
        there + (rate - theta_b) * (1 - 2 * above)
    )
    return value, slope
