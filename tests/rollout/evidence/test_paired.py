"""Labelled pairs: each bet is worth the product of its factors, one a pair."""

from math import prod

import pytest

from knoll.rollout.evidence.paired import LAMBDAS, Paired, Pairs

BATCH = Pairs(10, 3, 1)


def worth(delta: float, ups: int, downs: int, pairs: int) -> float:
    """The mean of the bets that the mean of Z is above delta, as products: Z is 1, -1, or 0."""
    outcomes = [1.0] * ups + [-1.0] * downs + [0.0] * (pairs - ups - downs)
    bets = (prod(1 + part * (one - delta) / (1 + abs(delta)) for one in outcomes) for part in LAMBDAS)
    return sum(bets) / len(LAMBDAS)


@pytest.mark.parametrize("batch", [BATCH, Pairs(10, 0, 0), Pairs(5, 5, 0), Pairs(5, 0, 5), Pairs(7, 2, 4)])
def test_a_batch_is_worth_the_product_of_its_pairs(batch: Pairs) -> None:
    after = Paired().after_batch(0.01, 0.05, batch)
    mine, theirs = batch.only_candidate, batch.only_champion
    assert after.stakes.value == pytest.approx(worth(0.01, theirs, mine, batch.pairs))
    assert after.passing.value == pytest.approx(worth(-0.05, mine, theirs, batch.pairs))
    assert (after.most, after.most_support) == (
        max(1.0, after.stakes.value),
        max(1.0, after.passing.value),
    )
    assert after.pairs == batch.pairs


def test_no_stake_is_cash_and_after_each_pair_a_little_of_all_is_spread_again() -> None:
    """So a bet that has lost all may still win later."""
    after = Paired().after_batch(0.01, 0.05, Pairs(400, 0, 200)).after_batch(0.01, 0.05, Pairs(10, 10, 0))
    assert after.stakes.cash == after.passing.cash == 0
    assert min(after.stakes.staked) > 0
    one = Paired().after_batch(0.0, 0.0, Pairs(10, 10, 0))
    wins = [(1 + part) ** 10 / 5 for part in LAMBDAS]
    kept = 0.998**10
    assert one.stakes.staked == pytest.approx([kept * win + (1 - kept) * sum(wins) / 5 for win in wins])
    losses = [(1 - part) ** 10 / 5 for part in LAMBDAS]
    assert one.passing.staked == pytest.approx(
        [kept * loss + (1 - kept) * sum(losses) / 5 for loss in losses]
    )


def test_nothing_changes_without_a_pair() -> None:
    state = Paired().after_batch(0.01, 0.05, BATCH)
    assert state.after_batch(0.01, 0.05, Pairs()) == state
