"""The rule of knoll.rollout.evidence over many runs at once.

Its factors are functions of one number, the champion's past rate, so they are read from a table on a grid of
its logarithm, with linear interpolation between. A test compares the results with those of the rule itself.
Arrays are shaped (requests, runs); a request is one of the candidate where `of_candidate` is true.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from knoll.rollout.evidence.arms import PASS_ALPHA
from knoll.rollout.evidence.stakes import CASH, FRACTIONS, KEPT, START

__all__ = ["NEVER", "Bools", "Floats", "Ints", "Judged", "Rule", "first_true", "judge"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
NEVER = np.iinfo(np.int64).max
_POINTS, _LOWEST = 16384, np.log(1e-7)
_CHUNK = 1000  # requests whose factors are made at once
_HALVINGS = 60
_MOST = 1e12  # of a stake
_ENOUGH = 0.98  # of the runs that have failed, so that the rest cannot change the 95th percentile


@dataclass(frozen=True)
class Rule:
    """A tolerance to fail, a margin to pass, and the candidate's share."""

    delta: float
    margin: float
    share: float


@dataclass(frozen=True)
class Judged:
    """When E and L first reached their bounds, as the index of a request; NEVER if they did not. The
    last values of E and L are those after the last request."""

    failed: Ints
    passed: Ints
    value: Floats
    support: Floats


def judge(
    of_candidate: Bools,
    bad: Bools,
    rule: Rule,
    fail_at: float,
    counted: Bools | None = None,
    past: tuple[int, int] = (0, 0),
) -> Judged:
    """Judge all runs at every request, until nearly all have failed. Requests that are not `counted` are left
    out. `past` are requests and failures of the champion before, which serve bets only."""
    counted = np.ones_like(bad) if counted is None else counted
    runs = bad.shape[1]
    cash, staked, support = np.full(runs, CASH), np.full((len(FRACTIONS), runs), START), np.zeros(runs)
    failed, passed = np.full(runs, NEVER), np.full(runs, NEVER)
    value = np.ones(runs)
    for start, factors in _chunks(of_candidate, bad, rule, counted, past):
        values = np.empty((len(factors), runs))
        for step, factor in enumerate(factors):
            staked = np.minimum(staked * factor[:-1], _MOST)
            value = np.add(cash, staked.sum(0), out=values[step])
            (who,) = (of_candidate[start + step] & counted[start + step]).nonzero()
            if len(who):
                moved = (1 - KEPT) * value[who]
                staked[:, who] = KEPT * staked[:, who] + moved * START
                cash[who] = KEPT * cash[who] + moved * CASH
        supports = support + np.log(factors[:, -1]).cumsum(0)
        support = supports[-1]
        failed = np.minimum(failed, first_true(values >= fail_at, start))
        passed = np.minimum(passed, first_true(supports >= np.log(1 / PASS_ALPHA), start))
        if (failed < NEVER).mean() >= _ENOUGH:
            break
    return Judged(failed, passed, value.copy(), np.exp(support))


def first_true(found: Bools, start: int = 0) -> Ints:
    """The index of the first true row of each column, from `start` on; NEVER where there is none."""
    return np.where(found.any(0), found.argmax(0) + start, NEVER)


def _chunks(
    of_candidate: Bools, bad: Bools, rule: Rule, counted: Bools, past: tuple[int, int]
) -> Iterator[tuple[int, Floats]]:
    """The index of the first request, and the factors of some requests, shaped (requests, bets, runs); the
    last bet is the one to pass."""
    table, runs = _table(rule), bad.shape[1]
    requests, failures = np.full(runs, float(past[0])), np.full(runs, float(past[1]))
    for start in range(0, len(bad), _CHUNK):
        part = slice(start, start + _CHUNK)
        chosen, failing, valid = of_candidate[part], bad[part], counted[part]
        answered = requests + (~chosen & valid).cumsum(0)
        failed = failures + (failing & ~chosen & valid).cumsum(0)
        before = (_behind(failures, failed) + 0.3) / (_behind(requests, answered) + 30)
        where = (np.log(before) - _LOWEST) * (_POINTS - 1) / -_LOWEST
        index = where.astype(np.int64)
        rest = where - index
        index += (2 * ~chosen + ~failing) * _POINTS
        factors = np.empty((len(chosen), len(table), runs))
        for bet, (values, rises) in enumerate(table):
            factors[:, bet] = np.where(valid, values.take(index) + rest * rises.take(index), 1.0)
        yield start, factors
        requests, failures = answered[-1], failed[-1]


def _behind(first: Floats, counts: Floats) -> Floats:
    """The counts before each request."""
    return np.concatenate([first[None], counts[:-1]])


@cache
def _table(rule: Rule) -> list[tuple[Floats, Floats]]:
    """The factors of each bet on the grid, and their rises to the next point; one after the other for
    bad and good outcomes of the candidate, then of the champion."""
    past = np.exp(np.linspace(_LOWEST, 0, _POINTS, endpoint=True))
    past[-1] = 1 - 1e-12
    above = np.clip(1 - past - rule.delta, 0, None)
    bets = [(past + rule.delta + part * above, rule.delta) for part in FRACTIONS]
    return [_with_rises(*one, past, rule.share) for one in [*bets, (past, rule.margin)]]


def _with_rises(rate: Floats, delta: float, past: Floats, share: float) -> tuple[Floats, Floats]:
    near = _nearest(rate, past, delta, share)
    above = near + delta
    with np.errstate(divide="ignore", invalid="ignore"):
        factors = [rate / above, (1 - rate) / (1 - above), past / near, (1 - past) / (1 - near)]
    bets = np.array([np.where(rate < 1, one, 1.0) for one in factors])
    rises = np.diff(bets, axis=1, append=bets[:, -1:])
    return bets.ravel(), rises.ravel()


def _nearest(rate: Floats, past: Floats, delta: float, share: float) -> Floats:
    """s of each point, by halving."""
    low = np.clip(np.minimum(past, rate - delta), 0, None)
    high = np.clip(np.maximum(past, rate - delta), None, 1 - delta)
    near = (low + high) / 2
    for _ in range(_HALVINGS):
        above = near + delta
        slope = share * (above - rate) * near * (1 - near) + (1 - share) * (near - past) * above * (1 - above)
        low, high = np.where(slope > 0, low, near), np.where(slope > 0, near, high)
        near = (low + high) / 2
    found: Floats = near
    return found
