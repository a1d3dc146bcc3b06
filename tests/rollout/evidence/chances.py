"""Exact means over all outcomes, and the rule written down a second time, straight from its formulas."""

from collections.abc import Callable, Iterator
from math import comb, log
from typing import TypeVar

State = TypeVar("State")


def mean_over_requests(
    after: Callable[[State, bool, bool], State],
    value: Callable[[State], float],
    state: State,
    requests: int,
    rates: tuple[float, float],
    share: float,
) -> float:
    """The mean of a value after so many requests, each to a random arm. `rates` are those of the
    candidate and the champion."""
    if not requests:
        return value(state)
    whole = 0.0
    for of_candidate, part in ((True, share), (False, 1 - share)):
        rate = rates[0] if of_candidate else rates[1]
        for bad, chance in ((True, rate), (False, 1 - rate)):
            if chance:
                below = after(state, of_candidate, bad)
                whole += part * chance * mean_over_requests(after, value, below, requests - 1, rates, share)
    return whole


def binomial(requests: int, rate: float) -> Iterator[tuple[int, float]]:
    """Each count of failures with its probability."""
    for bad in range(requests + 1):
        yield bad, comb(requests, bad) * rate**bad * (1 - rate) ** (requests - bad)


class Reference:
    """Stakes and L, request by request."""

    def __init__(self, delta: float, margin: float, share: float) -> None:
        self.delta, self.margin, self.share = delta, margin, share
        self.staked, self.cash, self.ratio = [0.225] * 4, 0.1, 1.0
        self.past, self.past_bad = 0, 0

    @property
    def e(self) -> float:
        return self.cash + sum(self.staked)

    def add(self, of_candidate: bool, bad: bool) -> None:
        theta_b = (self.past_bad + 0.3) / (self.past + 30)
        for number, g in enumerate((0.03, 0.1, 0.35, 0.97)):
            theta_c = theta_b + self.delta + g * (1 - theta_b - self.delta)
            self.staked[number] *= self.factor(theta_c, theta_b, self.delta, of_candidate, bad)
        self.ratio *= self.factor(theta_b, theta_b, self.margin, of_candidate, bad)
        if of_candidate:
            e = self.e
            self.staked = [0.998 * stake + 0.002 * e * 0.225 for stake in self.staked]
            self.cash = 0.998 * self.cash + 0.002 * e * 0.1
        else:
            self.past, self.past_bad = self.past + 1, self.past_bad + bad

    def factor(self, theta_c: float, theta_b: float, delta: float, of_candidate: bool, bad: bool) -> float:
        s = nearest(theta_c, theta_b, delta, self.share)
        if of_candidate:
            return theta_c / (s + delta) if bad else (1 - theta_c) / (1 - s - delta)
        return theta_b / s if bad else (1 - theta_b) / (1 - s)


def nearest(theta_c: float, theta_b: float, delta: float, share: float) -> float:
    """The minimum of the divergence, by golden sections of the divergence itself."""

    def divergence(s: float) -> float:
        return share * _kl(theta_c, s + delta) + (1 - share) * _kl(theta_b, s)

    low, high, part = 1e-15, 1 - delta - 1e-15, (5**0.5 - 1) / 2
    for _ in range(80):
        left, right = high - part * (high - low), low + part * (high - low)
        low, high = (low, right) if divergence(left) < divergence(right) else (left, high)
    return (low + high) / 2


def _kl(p: float, q: float) -> float:
    return p * log(p / q) + (1 - p) * log((1 - p) / (1 - q))
