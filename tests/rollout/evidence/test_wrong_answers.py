"""One sample, pairs and shares: what finds answers that are wrong, though the server is well."""

import random
from collections.abc import Callable
from math import exp

import pytest

from knoll.rollout.evidence.one_sample import OneSample
from knoll.rollout.evidence.paired import Paired, Pairs
from knoll.rollout.evidence.shares import Shares
from knoll.rollout.evidence.stakes import Stakes
from rollout.evidence.chances import binomial


def test_answers_that_all_differ_are_found_in_two() -> None:
    state = OneSample().after_batch(0.02, 1, 1)
    staked = [0.225 * (0.02 + part * 0.98) / 0.02 for part in (0.03, 0.1, 0.35, 0.97)]
    assert state.most == pytest.approx(0.1 + sum(staked))
    assert state.after_batch(0.02, 1, 1).most >= 400


def test_a_batch_of_one_sample_is_the_product_over_its_requests_with_stakes_spread_after_it() -> None:
    state = OneSample(requests=20, bad=0).after_batch(0.02, 5, 1)
    staked = []
    for part in (0.03, 0.1, 0.35, 0.97):
        theta = 0.02 + part * 0.98
        staked.append(0.225 * theta / 0.02 * ((1 - theta) / 0.98) ** 4)
    e, kept = 0.1 + sum(staked), 0.998**5
    assert state.stakes.staked == pytest.approx([kept * one + (1 - kept) * e * 0.225 for one in staked])
    assert state.stakes.cash == pytest.approx(kept * 0.1 + (1 - kept) * e * 0.1)
    past = 0.3 / 50
    assert exp(state.support) == pytest.approx(past / 0.02 * ((1 - past) / 0.98) ** 4)
    assert state.most == pytest.approx(max(e, 1))
    assert (state.requests, state.bad, state.most_support) == (25, 1, 0)


def test_so_many_equal_answers_show_that_at_most_two_in_a_hundred_differ() -> None:
    state = OneSample()
    for _ in range(262):
        state = state.after_batch(0.02, 1, 0)
    assert exp(state.most_support) < 100 <= exp(state.after_batch(0.02, 1, 0).most_support)


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.02])
def test_a_rate_within_the_tolerance_wins_no_bet(rate: float) -> None:
    """Exactly, over all outcomes of two batches, and with the bets to pass at the tolerance and above it."""
    assert mean_of_one_sample(rate, lambda state: state.stakes.value) <= 1 + 1e-9
    for worse in (0.02, 0.2, 0.9):
        assert mean_of_one_sample(worse, lambda state: exp(state.support)) <= 1 + 1e-9


def mean_of_one_sample(rate: float, value: Callable[[OneSample], float]) -> float:
    return sum(
        chance * other * value(OneSample(bad=2).after_batch(0.02, 4, bad).after_batch(0.02, 6, more))
        for bad, chance in binomial(4, rate)
        for more, other in binomial(6, rate)
        if chance * other
    )


def test_a_batch_without_requests_changes_nothing() -> None:
    assert OneSample().after_batch(0.02, 0, 0) == OneSample()
    assert Paired().after_batch(0.01, 0.05, Pairs()) == Paired()
    assert Shares().after_batch((), (0, 0)) == Shares()


def test_a_million_differences_at_once_give_numbers() -> None:
    assert OneSample().after_batch(0.02, 10**6, 10**6).most < 1e14
    assert Paired().after_batch(0.01, 0.05, Pairs(10**6, 10**6)).most < 1e14
    assert Shares().after_batch((10**6, 0), (0, 10**6)).after_batch((10**6, 0), (0, 10**6)).most < 1e14


def test_the_bet_on_a_pair_is_that_of_its_formula() -> None:
    """A fifth on each lambda, times 1 + lambda (Z - delta) / (1 + delta), and the mirror to pass."""
    for z, pairs in ((1, Pairs(1, 1, 0)), (0, Pairs(1, 0, 0)), (-1, Pairs(1, 0, 1))):
        state = Paired().after_batch(0.01, 0.05, pairs)
        lambdas = (0.03, 0.1, 0.3, 0.6, 0.95)
        failing = [0.2 * (1 + part * (z - 0.01) / 1.01) for part in lambdas]
        passing = [0.2 * (1 + part * (0.05 - z) / 1.05) for part in lambdas]
        kept = [0.998 * stake + 0.002 * sum(failing) * 0.2 for stake in failing]
        assert state.stakes.staked == pytest.approx(kept)
        assert state.stakes.value == pytest.approx(sum(failing))
        assert state.passing.value == pytest.approx(sum(passing))


def test_a_batch_of_pairs_is_the_product_over_its_pairs() -> None:
    state = Paired().after_batch(0.01, 0.05, Pairs(6, 3, 1))
    product = sum(
        0.2 * (1 + part * 0.99 / 1.01) ** 3 * (1 - part * 0.01 / 1.01) ** 2 * (1 - part)
        for part in (0.03, 0.1, 0.3, 0.6, 0.95)
    )
    assert state.pairs == 6
    assert state.most == pytest.approx(product)


def test_pairs_at_the_boundary_win_no_bet() -> None:
    """Only the champion is right in 11 of 100 pairs, only the candidate in 10: the mean of Z is delta."""
    for up, delta, of_fail in ((0.11, 0.01, True), (0.15, 0.05, False)):
        means = 0.0
        for number in range(3**6):
            state, chance, rest = Paired(), 1.0, number
            for _ in range(6):
                rest, kind = divmod(rest, 3)
                chance *= (up, 0.1, 0.9 - up)[kind]
                state = state.after_batch(0.01, 0.05, Pairs(1, kind == 0, kind == 1))
            means += chance * (state.stakes.value if of_fail else state.passing.value)
        assert means == pytest.approx(1, abs=1e-9), delta


def test_a_candidate_that_is_never_right_is_found_in_twelve_pairs() -> None:
    state = Paired()
    for _ in range(11):
        state = state.after_batch(0.01, 0.05, Pairs(1, 1, 0))
    assert state.most < 400 <= state.after_batch(0.01, 0.05, Pairs(1, 1, 0)).most


def test_the_bet_on_an_answer_is_its_share_over_the_mean_of_both() -> None:
    before = Shares(champion=(3, 1), candidate=(0, 2))
    after = before.after_batch((0, 1), (2, 1))
    mine, theirs = (0.5 / 3, 2.5 / 3), (3.5 / 5, 1.5 / 5)
    mean = [0.25 * one + 0.75 * other for one, other in zip(mine, theirs, strict=True)]
    factor = mine[1] / mean[1] * (theirs[0] / mean[0]) ** 2 * theirs[1] / mean[1]
    assert after.most == pytest.approx(max(1, 0.1 + 0.9 * factor))
    assert after.stakes.value == pytest.approx(0.1 + 0.9 * factor)
    assert (after.champion, after.candidate) == ((5, 2), (0, 3))
    assert after.stakes == Stakes(0.1, (0.9,)).after([factor], 1, 0.1)


def test_a_class_that_one_side_has_not_answered_yet_is_bet_as_half_an_answer() -> None:
    after = Shares(champion=(3, 1), candidate=(0, 2)).after_batch((0, 0, 1), (1,))
    mine, theirs = (0.5 / 3.5, 0.5 / 3.5), (3.5 / 5.5, 0.5 / 5.5)
    (first, third) = (0.5 * one + 0.5 * other for one, other in zip(mine, theirs, strict=True))
    factor = mine[1] / third * theirs[0] / first
    assert after.stakes.value == pytest.approx(0.1 + 0.9 * factor)
    assert (after.champion, after.candidate) == ((4, 1), (0, 2, 1))


def test_equal_shares_win_no_bet() -> None:
    before = Shares(champion=(7, 2), candidate=(1, 3))
    mean = sum(
        chance * other * before.after_batch((bad, 4 - bad), (more, 5 - more)).stakes.value
        for bad, chance in binomial(4, 0.3)
        for more, other in binomial(5, 0.3)
    )
    assert mean <= 1 + 1e-9


def test_a_collapse_is_found_in_few_answers_and_changed_places_never() -> None:
    chance, collapsed, shifted = random.Random(1), Shares(), Shares()
    for _ in range(30):
        olds = [chance.randrange(10) for _ in range(19)]
        collapsed = collapsed.after_batch(counts([0]), counts(olds))
        shifted = shifted.after_batch(counts([(chance.randrange(10) + 1) % 10]), counts(olds))
    assert collapsed.most > 400 > 20 > shifted.most


def test_answers_of_one_arm_wait_and_new_classes_are_new_counts() -> None:
    waiting = Shares().after_batch((1, 2), ())
    assert (waiting.waiting, waiting.most) == (((1, 2), ()), 1.0)
    assert waiting.after_batch((), (0, 0, 4)) == Shares().after_batch((1, 2), (0, 0, 4))


def counts(answers: list[int]) -> tuple[int, ...]:
    return tuple(answers.count(one) for one in range(10))
