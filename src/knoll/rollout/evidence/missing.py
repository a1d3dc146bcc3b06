"""What is missing until an arm passes: estimates, for people. No verdict depends on them. Pure."""

from math import ceil, log, log1p

from knoll.rollout.evidence.bets import past_rate, two_sample_bet
from knoll.rollout.evidence.one_sample import OneSample
from knoll.rollout.evidence.paired import LAMBDAS, Paired
from knoll.rollout.evidence.two_sample import TwoSample

__all__ = ["missing_answers", "missing_pairs", "missing_requests"]


def missing_requests(state: TwoSample, margin: float, share: float, needed: float) -> int | None:
    """Requests of the candidate until log L is `needed`, if it fails as often as the champion has: what is
    missing over the mean rise of log L for each request of the candidate."""
    rate = past_rate(state.past_bad, state.past)
    bet = two_sample_bet(rate, rate, margin, share)
    of_candidate = rate * log(bet.candidate_bad) + (1 - rate) * log(bet.candidate_good)
    of_champion = rate * log(bet.champion_bad) + (1 - rate) * log(bet.champion_good)
    return _ratio(needed - state.support, of_candidate + of_champion * (1 - share) / share)


def missing_answers(state: OneSample, tolerated: float, needed: float) -> int | None:
    """Compared answers until log L is `needed`, if they differ as often as they have; None if that is
    too often."""
    rate = past_rate(state.bad, state.requests)
    if rate >= tolerated:
        return None
    rise = rate * log(rate / tolerated) + (1 - rate) * log((1 - rate) / (1 - tolerated))
    return _ratio(needed - state.support, rise)


def missing_pairs(state: Paired, margin: float, needed: float) -> int | None:
    """Labelled pairs until the bets to pass are worth `needed`, if both are right equally often and one
    pair in ten has one right answer: by the bet that wins most then."""
    rises = (
        0.05 * log1p(part)
        + 0.05 * log1p(-part * (1 - margin) / (1 + margin))
        + 0.9 * log1p(part * margin / (1 + margin))
        for part in LAMBDAS
    )
    return _ratio(log(needed / max(state.passing.staked)), max(rises))


def _ratio(missing: float, rise: float) -> int | None:
    return max(ceil(missing / rise), 0) if rise > 0 else None
