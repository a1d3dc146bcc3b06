import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import exp

import pytest

from knoll.rollout.evidence.bets import two_sample_bet
from knoll.rollout.evidence.stakes import Stakes
from knoll.rollout.evidence.two_sample import Batch, Rule, TwoSample
from rollout.evidence.chances import Reference, binomial, mean_over_requests

RULE = Rule(0.0025, 0.02)
Value = Callable[[TwoSample], float]
BATCHES = ((2, 3), (3, 1))


def e_of(state: TwoSample) -> float:
    return state.stakes.value


def l_of(state: TwoSample) -> float:
    return exp(state.support)


def after_requests(state: TwoSample, outcomes: list[tuple[bool, bool]], share: float = 0.25) -> TwoSample:
    for of_candidate, bad in outcomes:
        state = state.after_request(RULE, of_candidate, bad, share)
    return state


@pytest.mark.parametrize("share", [0.05, 0.5])
@pytest.mark.parametrize("rates", [(1.0, 0.0), (0.1, 0.01), (0.03, 0.2)])
def test_the_rule_is_that_of_its_formulas(share: float, rates: tuple[float, float]) -> None:
    chance, reference, state = random.Random(3), Reference(0.0025, 0.02, share), TwoSample()
    for _ in range(150):
        of_candidate = chance.random() < share
        bad = chance.random() < rates[0 if of_candidate else 1]
        if reference.e > 1e9:
            break
        reference.add(of_candidate, bad)
        state = state.after_request(RULE, of_candidate, bad, share)
        assert state.stakes.value == pytest.approx(reference.e, rel=1e-6)
        assert exp(state.support) == pytest.approx(reference.ratio, rel=1e-6)


def test_numbers_of_a_short_run() -> None:
    """Five good requests of the champion, then three failures of the candidate, at a share of 5 %."""
    state = after_requests(TwoSample(), [(False, False)] * 5 + [(True, True)] * 3, 0.05)
    assert state.stakes.value == pytest.approx(2060.87475, rel=1e-6)
    assert state.support == pytest.approx(-3.58093713, rel=1e-6)
    assert (state.past, state.past_bad, state.judged) == (5, 0, 3)


@pytest.mark.parametrize("base", [0.0, 0.01, 0.3, 0.9])
@pytest.mark.parametrize("share", [0.05, 0.5])
def test_the_mean_of_e_is_at_most_1_for_a_candidate_within_the_tolerance(base: float, share: float) -> None:
    """Exactly, over all outcomes of four requests, at the boundary of the null."""

    def after(state: TwoSample, of_candidate: bool, bad: bool) -> TwoSample:
        return state.after_request(RULE, of_candidate, bad, share)

    rates = (base + RULE.delta, base)
    assert mean_over_requests(after, e_of, TwoSample(), 4, rates, share) <= 1 + 1e-9


@pytest.mark.parametrize("base", [0.0, 0.01, 0.3, 0.9])
@pytest.mark.parametrize("share", [0.05, 0.5])
def test_the_mean_of_l_is_at_most_1_for_a_candidate_that_is_worse_by_the_margin(
    base: float, share: float
) -> None:
    def after(state: TwoSample, of_candidate: bool, bad: bool) -> TwoSample:
        return state.after_request(RULE, of_candidate, bad, share)

    rates = (base + 0.02, base)
    assert mean_over_requests(after, l_of, TwoSample(), 4, rates, share) <= 1 + 1e-9


@pytest.mark.parametrize("base", [0.0, 0.01, 0.3, 0.9])
def test_the_same_holds_for_batches_of_any_size(base: float) -> None:
    """No routing is random here: so many requests of each side came."""
    assert mean_over_batches(TwoSample(), BATCHES, (base + RULE.delta, base), e_of) <= 1 + 1e-9
    assert mean_over_batches(TwoSample(), BATCHES, (base + 0.02, base), l_of) <= 1 + 1e-9


def test_a_bet_on_batches_wins_against_a_bad_candidate() -> None:
    assert mean_over_batches(TwoSample(), BATCHES, (0.5, 0.01), e_of) > 5
    assert mean_over_batches(TwoSample(), ((5, 5),) * 2, (0.01, 0.01), l_of) > 1.02


def test_a_batch_is_the_product_over_its_requests_with_the_bets_from_before_it() -> None:
    before = TwoSample(past=200, past_bad=3)
    after = before.after_batch(RULE, Batch(4, 2, 12, 1))
    theta_b, share = 3.3 / 230, 0.25
    staked = []
    for part in (0.03, 0.1, 0.35, 0.97):
        theta_c = theta_b + 0.0025 + part * (1 - theta_b - 0.0025)
        bet = two_sample_bet(theta_c, theta_b, 0.0025, share)
        staked.append(
            0.225 * bet.candidate_bad**2 * bet.candidate_good**2 * bet.champion_bad * bet.champion_good**11
        )
    e, kept = 0.1 + sum(staked), 0.998**4
    spread = [kept * stake + (1 - kept) * e * 0.225 for stake in staked]
    assert after.stakes.staked == pytest.approx(spread)
    assert after.stakes.cash == pytest.approx(kept * 0.1 + (1 - kept) * e * 0.1)
    assert after.most == pytest.approx(max(e, 1))
    bet = two_sample_bet(theta_b, theta_b, 0.02, share)
    ratio = bet.candidate_bad**2 * bet.candidate_good**2 * bet.champion_bad * bet.champion_good**11
    assert exp(after.support) == pytest.approx(ratio)
    assert (after.past, after.past_bad, after.judged) == (212, 4, 4)


def test_what_came_of_one_arm_waits_for_the_other() -> None:
    whole = TwoSample().after_batch(RULE, Batch(3, 1, 7, 0))
    for first, second in ((Batch(3, 1), Batch(0, 0, 7, 0)), (Batch(0, 0, 7, 0), Batch(3, 1))):
        waiting = TwoSample().after_batch(RULE, first)
        assert waiting == replace(TwoSample(), waiting=first)
        assert waiting.after_batch(RULE, second) == whole


def test_more_failures_of_the_candidate_speak_against_it_and_more_of_the_champion_for_it() -> None:
    before = TwoSample(past=300, past_bad=3)
    worse = [before.after_batch(RULE, Batch(10, bad, 30, 1)) for bad in range(2, 11)]
    assert [one.stakes.value for one in worse] == sorted(one.stakes.value for one in worse)
    assert [-one.support for one in worse] == sorted(-one.support for one in worse)
    better = [before.after_batch(RULE, Batch(10, 5, 30, bad)) for bad in range(10)]
    assert [-one.stakes.value for one in better] == sorted(-one.stakes.value for one in better)


def test_a_batch_of_another_kind_has_its_own_share_and_what_waits_waits_on() -> None:
    waiting = TwoSample().after_batch(RULE, Batch(0, 0, 7, 1))
    alone = TwoSample().after_batch(RULE, Batch(4, 1, 5, 0))
    assert waiting.after_apart(RULE, Batch(4, 1, 5, 0)) == replace(alone, waiting=Batch(0, 0, 7, 1))


def test_each_request_counts_for_its_side() -> None:
    state = after_requests(TwoSample(), [(True, True), (True, False), (False, True), (False, False)])
    assert (state.past, state.past_bad, state.judged) == (2, 1, 2)


def test_what_was_reached_once_stays() -> None:
    """By Ville's inequality the largest E and L count, not the last ones."""
    bad = TwoSample().after_batch(RULE, Batch(30, 30, 30, 0))
    later = bad.after_batch(RULE, Batch(500, 0, 500, 0))
    assert bad.most > 400
    assert later.stakes.value < later.most == bad.most
    good = TwoSample().after_batch(RULE, Batch(300, 0, 300, 0))
    assert good.after_batch(RULE, Batch(50, 50, 50, 0)).most_support == good.most_support > good.support - 1


def test_a_fault_after_a_thousand_good_requests_is_found_in_six() -> None:
    state = TwoSample()
    for _ in range(1000):
        state = state.after_batch(RULE, Batch(1, 0, 19, 0))
    assert state.most < 2
    for _ in range(6):
        state = state.after_batch(RULE, Batch(1, 1, 19, 0))
    assert state.most >= 400


@pytest.mark.parametrize("bad", [0, 10**6])
def test_a_million_requests_at_once_give_numbers(bad: int) -> None:
    state = TwoSample().after_batch(RULE, Batch(10**6, bad, 10**6, 10**6 - bad))
    state = state.after_batch(RULE, Batch(10**6, bad, 10**6, 10**6 - bad))
    assert 0 < state.stakes.value < 1e13
    assert (state.most >= 400) == (bad > 0)
    assert abs(state.support) < 1e9


def test_a_champion_that_always_fails_leaves_nothing_to_bet() -> None:
    broken = TwoSample(past=10**6, past_bad=10**6)
    assert broken.after_batch(RULE, Batch(5, 5, 5, 5)).stakes.value == pytest.approx(1)
    assert TwoSample().after_batch(Rule(0.99), Batch(5, 5, 5, 0)).stakes.value == pytest.approx(1)


def test_spreading_n_times_is_spreading_once_for_each_of_n() -> None:
    stakes = Stakes(0.3, (2.0, 0.1, 0.0, 7.0))
    one_by_one = stakes
    for _ in range(5):
        one_by_one = one_by_one.after((1.0,) * 4, 1)
    at_once = stakes.after((1.0,) * 4, 5)
    assert at_once.staked == pytest.approx(one_by_one.staked)
    assert (at_once.cash, at_once.value) == pytest.approx((one_by_one.cash, stakes.value))


def test_without_a_margin_nothing_passes() -> None:
    assert TwoSample().after_batch(Rule(0.02), Batch(500, 0, 500, 0)).most_support == 0


def mean_over_batches(
    state: TwoSample, batches: tuple[tuple[int, int], ...], rates: tuple[float, float], value: Value
) -> float:
    if not batches:
        return value(state)
    (mine, theirs), *rest = batches
    below = partial(mean_over_batches, batches=tuple(rest), rates=rates, value=value)
    return sum(
        chance * other * below(state.after_batch(RULE, Batch(mine, bad, theirs, wrong)))
        for bad, chance in binomial(mine, rates[0])
        for wrong, other in binomial(theirs, rates[1])
        if chance * other
    )
