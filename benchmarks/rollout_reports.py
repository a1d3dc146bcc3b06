"""The rule of knoll.rollout.evidence on reports, over many runs at once.

Each report has requests and failures of both sides in one second, shaped (runs,). The bets of a report
depend on its own share of the candidate, so there is no table: s is found by Newton's steps for all runs
together.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from rollout_rule import NEVER, Floats, Ints

from knoll.rollout.evidence.arms import PASS_ALPHA
from knoll.rollout.evidence.stakes import CASH, FRACTIONS, KEPT, START

__all__ = ["JudgedReports", "Report", "judge_reports", "traffic"]

Report = tuple[Ints, Ints, Ints, Ints]  # candidate, failures of it, champion, failures of it
_STEPS = 12
_ENOUGH = 0.98
_PARTS = np.array([*FRACTIONS, 0.0])[:, None]  # the last bet is the one to pass


@dataclass(frozen=True)
class JudgedReports:
    """The candidate's requests until the report with which E and L first reached their bounds, and the
    numbers of these reports; NEVER if they did not."""

    failed: Ints
    passed: Ints
    failed_at: Ints
    passed_at: Ints


class _State:
    """What changes with each report."""

    def __init__(self, runs: int) -> None:
        self.cash, self.staked = np.full(runs, CASH), np.full((len(FRACTIONS), runs), START)
        self.support = np.zeros(runs)
        self.past, self.past_bad = np.zeros(runs), np.zeros(runs)
        self.waiting = np.zeros((4, runs))

    def add(self, report: Report, delta: float, margin: float) -> None:
        """Judge the report in those runs that have both sides by now."""
        self.waiting += np.array(report)
        (who,) = ((self.waiting[0] > 0) & (self.waiting[2] > 0)).nonzero()
        candidate, candidate_bad, champion, champion_bad = self.waiting[:, who]
        self.waiting[:, who] = 0
        past = (self.past_bad[who] + 0.3) / (self.past[who] + 30)
        deltas = np.array([[delta]] * len(FRACTIONS) + [[margin]])
        rate = past + np.where(_PARTS > 0, deltas + _PARTS * (1 - past - deltas), 0)
        near = _nearest(rate, past, deltas, candidate / (candidate + champion))
        above = near + deltas
        powers = (
            candidate_bad * np.log(rate / above)
            + (candidate - candidate_bad) * np.log((1 - rate) / (1 - above))
            + champion_bad * np.log(past / near)
            + (champion - champion_bad) * np.log((1 - past) / (1 - near))
        )
        self.support[who] += powers[-1]
        self._stake(who, np.exp(np.clip(powers[:-1], -600, 30)), candidate)
        self.past[who] += champion
        self.past_bad[who] += champion_bad

    def _stake(self, who: Ints, factors: Floats, spreads: Floats) -> None:
        staked = np.minimum(self.staked[:, who] * factors, 1e12)
        kept = KEPT**spreads
        moved = (1 - kept) * (self.cash[who] + staked.sum(0))
        self.staked[:, who] = kept * staked + moved * START
        self.cash[who] = kept * self.cash[who] + moved * CASH

    def value(self) -> Floats:
        """E of each run."""
        found: Floats = self.cash + self.staked.sum(0)
        return found


def judge_reports(
    reports: Iterable[Report], delta: float, margin: float, fail_at: float, until_passed: bool = False
) -> JudgedReports:
    """Judge all runs after each report, until nearly all have failed, or `until_passed` all have failed or
    passed."""
    state: _State | None = None
    for number, report in enumerate(reports):
        if state is None:
            state, served = _State(len(report[0])), np.zeros(len(report[0]), np.int64)
            failed, passed, failed_at, passed_at = (np.full(len(served), NEVER) for _ in range(4))
        served = served + report[0]
        state.add(report, delta, margin)
        for found, when, at in (
            (state.value() >= fail_at, failed, failed_at),
            (state.support >= np.log(1 / PASS_ALPHA), passed, passed_at),
        ):
            new = found & (when == NEVER)
            when[new], at[new] = served[new], number
        is_over = (failed < NEVER) | (until_passed & (passed < NEVER))
        if is_over.mean() >= (1 if until_passed else _ENOUGH):
            break
    return JudgedReports(failed, passed, failed_at, passed_at)


def traffic(
    chance: np.random.Generator, runs: int, seconds: int, rate: float, share: float, bad: tuple[float, float]
) -> Iterator[Report]:
    """A report a second: requests at `rate` a second, of which the candidate gets its share. `bad` are
    the rates of failure of the champion and the candidate."""
    for _ in range(seconds):
        candidate, champion = chance.poisson(rate * share, runs), chance.poisson(rate * (1 - share), runs)
        yield candidate, chance.binomial(candidate, bad[1]), champion, chance.binomial(champion, bad[0])


def _nearest(rate: Floats, past: Floats, delta: Floats, share: Floats) -> Floats:
    """s for each bet and run: Newton's steps, or halves where a step leaves the bracket."""
    low, high = np.maximum(np.minimum(past, rate - delta), 0), np.maximum(past, rate - delta)
    near = np.clip(share * (rate - delta) + (1 - share) * past, low, high)
    near = np.where(near > 0, near, (low + high) / 2)
    for _ in range(_STEPS):
        above = near + delta
        here, there = near * (1 - near), above * (1 - above)
        value = share * (above - rate) * here + (1 - share) * (near - past) * there
        slope = share * (here + (above - rate) * (1 - 2 * near)) + (1 - share) * (
            there + (near - past) * (1 - 2 * above)
        )
        low, high = np.where(value > 0, low, near), np.where(value > 0, near, high)
        after = near - value / slope
        near = np.where((after > low) & (after < high), after, (low + high) / 2)
    return near
