import pytest
from hypothesis import given
from hypothesis import strategies as st

from knoll.rollout.evidence import bets
from knoll.rollout.evidence.bets import NO_BET, Bet, nearest_rate, past_rate, two_sample_bet
from rollout.evidence.chances import nearest

RATES = st.floats(0.0005, 0.9)
SHARES = st.floats(0.01, 0.99)
DELTAS = st.sampled_from([0.0, 0.0025, 0.02, 0.05])
PARTS = st.sampled_from([0.03, 0.1, 0.35, 0.97])


def mean(bet: Bet, mine: float, theirs: float, share: float) -> float:
    of_candidate = mine * bet.candidate_bad + (1 - mine) * bet.candidate_good
    of_champion = theirs * bet.champion_bad + (1 - theirs) * bet.champion_good
    return share * of_candidate + (1 - share) * of_champion


@given(RATES, PARTS, DELTAS, SHARES, st.floats(0, 1), st.floats(0, 1))
def test_no_bet_wins_under_the_null(
    theta_b: float, part: float, delta: float, share: float, theirs: float, gap: float
) -> None:
    """At its boundary, where the candidate is worse by just the tolerance, and inside."""
    theta_c = theta_b + delta + part * (1 - theta_b - delta)
    bet = two_sample_bet(theta_c, theta_b, delta, share)
    theirs *= 1 - delta
    assert mean(bet, theirs + delta, theirs, share) <= 1 + 1e-9
    assert mean(bet, gap * (theirs + delta), theirs, share) <= 1 + 1e-9


@given(RATES, st.sampled_from([0.02, 0.05]), SHARES, st.floats(0, 1), st.floats(0, 1))
def test_no_bet_to_pass_wins_if_the_candidate_is_worse_by_the_margin(
    theta_b: float, margin: float, share: float, theirs: float, gap: float
) -> None:
    bet = two_sample_bet(theta_b, theta_b, margin, share)
    theirs *= 1 - margin
    worse = theirs + margin + gap * (1 - theirs - margin)
    assert mean(bet, worse, theirs, share) <= 1 + 1e-9


@given(RATES, PARTS, DELTAS, SHARES)
def test_a_bet_wins_where_it_is_right(theta_b: float, part: float, delta: float, share: float) -> None:
    theta_c = theta_b + delta + part * (1 - theta_b - delta)
    assert mean(two_sample_bet(theta_c, theta_b, delta, share), theta_c, theta_b, share) > 1


@given(RATES, PARTS, st.sampled_from([0.0025, 0.02, 0.05]), SHARES)
def test_the_nearest_rate_has_the_least_divergence(
    theta_b: float, part: float, delta: float, share: float
) -> None:
    theta_c = theta_b + delta + part * (1 - theta_b - delta)
    assert nearest_rate(theta_c, theta_b, delta, share) == pytest.approx(
        nearest(theta_c, theta_b, delta, share), abs=1e-6
    )


@pytest.mark.parametrize("rate", [0.05, 0.2, 0.7])
def test_a_step_towards_the_nearest_rate_uses_the_derivative(rate: float) -> None:
    """A wrong one still leads there, in many more steps."""

    def value(at: float) -> float:
        return bets._slope_of_divergence(at, 0.6, 0.1, 0.05, 0.3)[0]

    slope = bets._slope_of_divergence(rate, 0.6, 0.1, 0.05, 0.3)[1]
    assert slope == pytest.approx((value(rate + 1e-6) - value(rate - 1e-6)) / 2e-6)


def test_without_a_tolerance_the_nearest_rate_is_the_mean() -> None:
    assert nearest_rate(0.5, 0.1, 0.0, 0.25) == 0.2


def test_the_factors_are_ratios_of_probabilities() -> None:
    bet = two_sample_bet(0.5, 0.1, 0.0, 0.25)
    assert (bet.candidate_bad, bet.candidate_good) == pytest.approx((0.5 / 0.2, 0.5 / 0.8))
    assert (bet.champion_bad, bet.champion_good) == pytest.approx((0.1 / 0.2, 0.9 / 0.8))
    assert [bet.factor(*one) for one in ((True, True), (True, False), (False, True), (False, False))] == [
        bet.candidate_bad,
        bet.candidate_good,
        bet.champion_bad,
        bet.champion_good,
    ]


def test_the_factors_with_a_tolerance_are_those_of_the_null_with_the_tolerance() -> None:
    rate = nearest_rate(0.4, 0.1, 0.05, 0.3)
    bet = two_sample_bet(0.4, 0.1, 0.05, 0.3)
    assert rate == pytest.approx(0.164779, abs=1e-5)
    assert (bet.candidate_bad, bet.candidate_good) == pytest.approx(
        (0.4 / (rate + 0.05), 0.6 / (0.95 - rate))
    )
    assert (bet.champion_bad, bet.champion_good) == pytest.approx((0.1 / rate, 0.9 / (1 - rate)))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_one_arm_alone_is_no_bet(share: float) -> None:
    assert two_sample_bet(0.5, 0.1, 0.0025, share) == NO_BET == Bet(1, 1, 1, 1)


def test_the_past_begins_at_one_in_a_hundred() -> None:
    assert past_rate(0, 0) == pytest.approx(0.01)
    assert past_rate(2, 10) == pytest.approx(2.3 / 40)
