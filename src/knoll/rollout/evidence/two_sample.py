"""Two samples: whether the candidate fails more often than the champion at the same time.

To fail, stakes (E) are put on "the candidate's rate of failure is above the champion's by more than delta":
four bets theta_c = theta_b + delta + g (1 - theta_b - delta). theta_b is what the champion's past suggests.
To pass, a likelihood ratio (L) bets theta_c = theta_b on "it is above by less than the margin".

Assumptions: which request goes to which side has nothing to do with its outcome, and an outcome does not
depend on those before it. The base may be any, and may drift for both sides together.

Measured at the boundary of the null, with a look after every request: E reaches 400 in at most .22 % of
runs (bound .25 %), L reaches 100 in 1.0 % (bound 1 %). See docs/benchmarks.md.
"""

from dataclasses import dataclass, replace
from math import log

from knoll.rollout.evidence.bets import NO_BET, Bet, past_rate, two_sample_bet
from knoll.rollout.evidence.stakes import EVEN, FRACTIONS, Stakes, bounded_exp

__all__ = ["Batch", "Rule", "TwoSample"]


@dataclass(frozen=True)
class Rule:
    """`delta` is the tolerance to fail, `margin` the one to pass; without a margin the arm never passes."""

    delta: float
    margin: float | None = None


@dataclass(frozen=True)
class Batch:
    """Requests of both sides since the last report, and those of them that failed."""

    candidate: int = 0
    candidate_bad: int = 0
    champion: int = 0
    champion_bad: int = 0

    def plus(self, other: "Batch") -> "Batch":
        """Both together."""
        return Batch(
            self.candidate + other.candidate,
            self.candidate_bad + other.candidate_bad,
            self.champion + other.champion,
            self.champion_bad + other.champion_bad,
        )


@dataclass(frozen=True)
class TwoSample:
    """The state of one comparison.

    `past` and `past_bad` are the champion's requests and failures that bets may use; older history counts
    too. `judged` are the candidate's requests so far. `most` is the largest E so far, `support` the
    logarithm of L, and `most_support` the largest so far. `waiting` is what came without its counterpart of
    the other arm.
    """

    past: int = 0
    past_bad: int = 0
    judged: int = 0
    stakes: Stakes = EVEN
    most: float = 1.0
    support: float = 0.0
    most_support: float = 0.0
    waiting: Batch = Batch()

    def after_request(self, rule: Rule, is_candidate: bool, is_bad: bool, share: float) -> "TwoSample":
        """The state after one request. `share` is the probability with which a request goes to the candidate:
        it must be the true one."""
        bets = self._bets(rule, share)
        stakes = self.stakes.after((bet.factor(is_candidate, is_bad) for bet in bets[:-1]), int(is_candidate))
        support = self.support + log(bets[-1].factor(is_candidate, is_bad))
        one = Batch(1, int(is_bad)) if is_candidate else Batch(0, 0, 1, int(is_bad))
        return self._with(stakes, support, one)

    def after_batch(self, rule: Rule, batch: Batch) -> "TwoSample":
        """The state after a report about both sides. What has come of one side only waits for the other.

        The bets are those of before the batch, and its own counts give the share. So nothing depends on the
        order within the batch, nor on how requests were routed. Let A and B be the mean factors of a request
        of each side. Under the null share A + (1 - share) B <= 1, and the mean factor of a batch of n and m
        requests is A^n B^m. With share = n / (n + m) that is at most 1 too, because a geometric mean is at
        most the arithmetic one. When a batch is closed may depend on its counts of requests only.
        """
        whole = self.waiting.plus(batch)
        if not (whole.candidate and whole.champion):
            return replace(self, waiting=whole)
        bets = self._bets(rule, whole.candidate / (whole.candidate + whole.champion))
        powers = [_log_factor(bet, whole) for bet in bets]
        stakes = self.stakes.after(map(bounded_exp, powers[:-1]), whole.candidate)
        return self._with(stakes, self.support + powers[-1], whole)

    def after_apart(self, rule: Rule, batch: Batch) -> "TwoSample":
        """The state after a batch of another kind of requests. It has both sides, and what waits is of the
        usual kind, so it waits on."""
        alone = replace(self, waiting=Batch()).after_batch(rule, batch)
        return replace(alone, waiting=self.waiting)

    def _bets(self, rule: Rule, share: float) -> tuple[Bet, ...]:
        """The bets to fail, and last the one to pass."""
        theta_b = past_rate(self.past_bad, self.past)
        return (*_failing(theta_b, rule.delta, share), _passing(theta_b, rule.margin, share))

    def _with(self, stakes: Stakes, support: float, judged: Batch) -> "TwoSample":
        return TwoSample(
            self.past + judged.champion,
            self.past_bad + judged.champion_bad,
            self.judged + judged.candidate,
            stakes,
            max(self.most, stakes.value),
            support,
            max(self.most_support, support),
        )


def _failing(theta_b: float, delta: float, share: float) -> tuple[Bet, ...]:
    """The bets that the candidate is worse; none where it cannot be."""
    above = 1 - theta_b - delta
    if above <= 0:
        return (NO_BET,) * len(FRACTIONS)
    return tuple(two_sample_bet(theta_b + delta + part * above, theta_b, delta, share) for part in FRACTIONS)


def _passing(theta_b: float, margin: float | None, share: float) -> Bet:
    """The bet that the candidate is as good as the champion."""
    return NO_BET if margin is None else two_sample_bet(theta_b, theta_b, margin, share)


def _log_factor(bet: Bet, batch: Batch) -> float:
    """The logarithm of the product of all factors of a batch."""
    return (
        batch.candidate_bad * log(bet.candidate_bad)
        + (batch.candidate - batch.candidate_bad) * log(bet.candidate_good)
        + batch.champion_bad * log(bet.champion_bad)
        + (batch.champion - batch.champion_bad) * log(bet.champion_good)
    )
