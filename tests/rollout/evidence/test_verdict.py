from dataclasses import replace
from math import log

import pytest

from knoll.rollout.evidence import (
    Compared,
    Judgement,
    PassingPolicy,
    Seen,
    Tally,
    Verdict,
    begin,
    judge,
    verdict,
    verdict_to_fields,
)
from knoll.rollout.evidence.arms import SUSPICION, ArmName
from knoll.rollout.evidence.missing import missing_pairs, missing_requests
from knoll.rollout.evidence.one_sample import OneSample
from knoll.rollout.evidence.paired import Paired
from knoll.rollout.evidence.stakes import Stakes
from knoll.rollout.evidence.two_sample import TwoSample
from knoll.rollout.evidence.verdict import ArmVerdict

POLICY = PassingPolicy(share=0.25)
EDGES = (0.01, 0.1)
SOUND, NOTHING = Tally(), Compared()


def judged(rounds: int, candidate: Tally = SOUND, compared: Compared = NOTHING) -> Judgement:
    """So many times three requests of the champion and one of the candidate, with this tally of the candidate
    and these comparisons for each, in batches of ten."""
    judgement = begin(Tally(1000, 1, 0, EDGES, (500, 450, 50), (500, 500)), Seen())
    for number in (*range(10, rounds, 10), rounds):
        latency, outputs = (2 * number, number, 0), (2 * number, number)
        champion = Tally(3 * number, 0, 0, EDGES, latency, outputs, late=(3 * number, 0))
        judgement = judge(judgement, Seen(champion, times(candidate, number), pairs(compared, number)))
    return judgement


def times(one: Tally, number: int) -> Tally:
    latency, outputs = (tuple(count * number for count in counts) for counts in (one.latency, one.outputs))
    late = (one.late[0] * number, one.late[1] * number)
    return Tally(number, one.errors * number, one.refusals * number, one.edges, latency, outputs, late=late)


def pairs(one: Compared, number: int) -> Compared:
    return Compared(*(count * number for count in vars(one).values()))


def arm(found: Verdict, name: ArmName) -> ArmVerdict:
    return next(one for one in found.arms if one.arm == name)


@pytest.mark.parametrize(
    ("name", "candidate", "compared"),
    [
        ("errors", Tally(1, 1), Compared()),
        ("refusals", Tally(1, 0, 1), Compared()),
        ("latencyP95", Tally(1, edges=EDGES, latency=(0, 0, 1)), Compared()),
        ("latencyP50", Tally(1, edges=EDGES, latency=(0, 1, 0)), Compared()),
        ("agreement", Tally(1), Compared(1, 1)),
        ("labels", Tally(1), Compared(0, 0, 1, 1, 0)),
        ("lateErrors", Tally(1, late=(1, 1)), Compared()),
    ],
)
def test_each_arm_alone_fails_the_candidate(name: ArmName, candidate: Tally, compared: Compared) -> None:
    found = verdict(judged(60, candidate, compared), POLICY)
    assert (found.outcome, arm(found, name).outcome, found.pauses) == ("fail", "fail", False)
    assert found.reason.count(name) == 1
    assert arm(found, name).e >= arm(found, name).fail_at


def test_answers_that_have_shifted_hold_a_candidate_but_never_fail_it() -> None:
    found = verdict(judged(300, Tally(1, outputs=(0, 1))), POLICY)
    assert (found.outcome, found.pauses) == ("inconclusive", True)
    assert arm(found, "errors").outcome == "pass"
    assert found.reason.startswith("outputs: E ")


def test_a_sound_candidate_passes_when_its_errors_have_passed() -> None:
    before, after = verdict(judged(150), POLICY), verdict(judged(260), POLICY)
    assert (before.outcome, after.outcome) == ("inconclusive", "pass")
    assert (after.missing, arm(after, "errors").support > 100, after.is_suspected) == (0, True, False)
    assert before.reason == f"errors: about {before.missing} more are missing"
    assert after.reason.startswith("errors: L ")


def test_what_is_missing_is_about_what_then_is_needed() -> None:
    missing = verdict(judged(100), POLICY).missing
    assert missing is not None
    outcomes = [verdict(judged(100 + round(missing * part)), POLICY).outcome for part in (0.8, 1.2)]
    assert outcomes == ["inconclusive", "pass"]


def test_a_candidate_passes_with_enough_requests_only() -> None:
    found = verdict(judged(260), replace(POLICY, min_requests=300))
    assert (found.outcome, found.missing) == ("inconclusive", 40)
    assert found.reason == "requests: about 40 more are missing"


def test_where_answers_are_compared_or_labels_come_back_they_must_pass() -> None:
    state = judged(260)
    for policy in (replace(POLICY, compares=True), replace(POLICY, has_labels=True)):
        assert verdict(state, policy).outcome == "inconclusive"
    both = replace(POLICY, compares=True, has_labels=True)
    assert verdict(judged(300, compared=Compared(1, 0, 1)), both).outcome == "pass"
    assert verdict(judged(40, compared=Compared(2, 0, 9)), both).reason.startswith(
        "errors, agreement: about "
    )


def test_answers_that_differ_too_often_leave_an_unknown_number_missing() -> None:
    state = judge(judged(10), Seen(Tally(40), Tally(20), Compared(60, 3)))
    found = verdict(state, replace(POLICY, compares=True))
    assert (found.outcome, found.missing, arm(found, "agreement").missing) == ("inconclusive", None, None)
    assert found.reason == "errors, agreement: an unknown number of more are missing"


def test_twenty_clean_requests_are_inconclusive() -> None:
    found = verdict(judged(20), POLICY)
    assert found.outcome == "inconclusive"
    assert found.missing is not None
    assert found.missing > 150


def test_a_candidate_that_fails_in_the_bake_is_suspected_and_not_failed() -> None:
    state = judged(260)
    failing = replace(state.seen, candidate=Tally(262, 2))
    found = verdict(judge(state, failing, is_shared=False), POLICY)
    assert (found.is_suspected, found.outcome) == (True, "pass")
    one = verdict(judge(state, replace(failing, candidate=Tally(262, 1)), is_shared=False), POLICY)
    assert not one.is_suspected


def test_an_arm_fails_when_e_reaches_its_bound() -> None:
    for e, outcome in ((399.9, "inconclusive"), (400.0, "fail")):
        state = replace(Judgement(), errors=TwoSample(most=e))
        assert verdict(state, POLICY).outcome == outcome


def test_all_arms_that_have_failed_or_passed_are_told() -> None:
    failed = Judgement(errors=TwoSample(most=500.0), refusals=TwoSample(most=6000.0))
    told = "errors: E 500, the bound is 400, refusals: E 6e+03, the bound is 5000"
    assert verdict(failed, POLICY).reason == told
    shown = TwoSample(judged=100, most_support=log(200))
    passed = Judgement(errors=shown, agreement=OneSample(most_support=log(300)), needs_agreement=True)
    told = "errors: L 200, the bound is 100, agreement: L 300, the bound is 100"
    assert verdict(passed, POLICY).reason == told


def test_what_is_missing_of_labels_is_the_less_of_both_ways_to_show_it() -> None:
    won = Paired(passing=Stakes(0.0, (0.1, 150.0, 0.1, 0.1, 0.1)))
    for state, needed in ((Judgement(labels=won), 200), (Judgement(labels=won, has_pairs=False), 100)):
        alone = missing_requests(state.quality, 0.05, 0.25, log(needed))
        paired = missing_pairs(won, 0.05, needed)
        assert alone is not None
        assert paired is not None
        assert paired < alone
        missing = arm(verdict(state, POLICY), "labels").missing
        assert missing == (paired if state.has_pairs else alone)


def test_l_the_suspicion_and_the_requests_count_from_their_bounds_on() -> None:
    sound = judged(260)
    for support, outcome in ((log(100), "pass"), (log(99.9), "inconclusive")):
        state = replace(sound, errors=replace(sound.errors, most_support=support))
        assert arm(verdict(state, POLICY), "errors").outcome == outcome
    for e, is_suspected in ((SUSPICION[1], True), (SUSPICION[1] - 0.1, False)):
        state = replace(sound, suspicion=replace(sound.suspicion, most=e))
        assert verdict(state, POLICY).is_suspected == is_suspected
    outcomes = [verdict(sound, replace(POLICY, min_requests=least)).outcome for least in (260, 261)]
    assert outcomes == ["pass", "inconclusive"]


def test_with_a_margin_of_one_errors_need_not_pass() -> None:
    found = verdict(begin(Tally(1000), Seen(), 1.0), POLICY)
    shown = arm(found, "errors")
    assert (shown.pass_at, shown.missing, shown.is_needed, shown.margin) == (0, None, False, 1.0)
    assert arm(verdict(begin(Tally(1000), Seen(), 0.5), POLICY), "errors").pass_at == 100
    assert arm(found, "agreement").pass_at == 100


def test_an_arm_is_told_with_all_its_numbers() -> None:
    state = replace(judged(30), asked=0.01, differing=0.03)
    found = verdict(state, POLICY)
    errors, agreement, labels = (arm(found, name) for name in ("errors", "agreement", "labels"))
    assert errors.numbers() == {
        "e": errors.e,
        "failAt": 400,
        "support": errors.support,
        "passAt": 100,
        "judged": 30,
        "margin": state.margin,
        "asked": 0.01,
    }
    assert (agreement.margin, agreement.asked) == (0.03, None)
    assert (labels.margin, labels.asked) == (0.05, None)
    assert arm(found, "outputs").support == 0


def test_what_is_missing_depends_on_the_share() -> None:
    state = replace(Judgement(), errors=TwoSample(past=1000, past_bad=10))
    missing = [verdict(state, PassingPolicy(share=share)).missing for share in (0.05, 0.5)]
    assert missing == [507, 599]


def test_the_numbers_of_each_arm_with_evidence_are_recorded() -> None:
    """Also against which margin L stands, so that another policy can be tried on them."""
    found = verdict(judged(30), POLICY)
    told = verdict_to_fields(found)
    assert set(told) == {"errors", "refusals"}
    assert told["errors"]["judged"] == 30
    assert (told["errors"]["failAt"], told["errors"]["passAt"], told["errors"]["margin"]) == (400, 100, 0.02)
    assert told["errors"]["support"] == arm(found, "errors").support > 1
    assert (told["refusals"]["passAt"], told["refusals"]["margin"]) == (0, None)


def labelled(rounds: int, wrong: int, of: int = 4) -> Judgement:
    """So many times four labelled answers of the champion, one in 40 of them wrong, and as many of the
    candidate, of which so many are wrong."""
    judgement = replace(begin(Tally(labelled=400, wrong=10), Seen(), has_pairs=False), needs_labels=True)
    for number in range(1, rounds + 1):
        mine, theirs = Tally(labelled=of * number, wrong=wrong * number), Tally(labelled=4 * number)
        judgement = judge(judgement, Seen(replace(theirs, wrong=number // 10), mine))
    return judgement


def test_labels_without_pairs_are_judged_as_two_samples() -> None:
    """With the same alpha and margin as pairs. What only one side has waits for the other."""
    bad, sound, one_side = labelled(8, 4), labelled(100, 0), labelled(30, 0, of=0)
    found = verdict(bad, PassingPolicy())
    assert (found.outcome, arm(found, "labels").outcome, arm(found, "labels").judged) == ("fail", "fail", 32)
    assert arm(found, "labels").fail_at == pytest.approx(1 / 0.0003)
    assert arm(verdict(sound, PassingPolicy()), "labels").outcome == "pass"
    assert arm(verdict(one_side, PassingPolicy()), "labels").judged == 0


def test_a_judgement_that_needs_labels_passes_only_with_them() -> None:
    state = replace(judged(260), has_pairs=False)
    assert verdict(state, POLICY).outcome == "pass"
    found = verdict(replace(state, needs_labels=True), POLICY)
    assert (found.outcome, [one.arm for one in found.waiting]) == ("inconclusive", ["labels"])
    assert found.reason.startswith("labels: about ")


def test_labels_that_are_judged_twice_have_half_of_the_alpha_each() -> None:
    """Either may fail or pass, and E and L are half of the larger ones."""
    alone = replace(labelled(8, 4), has_pairs=True)
    assert arm(verdict(alone, PassingPolicy()), "labels").e == pytest.approx(alone.quality.most / 2)
    paired = judged(30, compared=Compared(labelled=1, only_champion=1))
    assert arm(verdict(paired, PassingPolicy()), "labels").e == pytest.approx(paired.labels.most / 2)
    both = replace(paired, quality=alone.quality)
    found = arm(verdict(both, PassingPolicy()), "labels")
    assert found.e == pytest.approx(max(alone.quality.most, paired.labels.most) / 2)
    assert found.judged == paired.labels.pairs + alone.quality.judged
    nothing = arm(verdict(begin(Tally(), Seen()), PassingPolicy()), "labels")
    assert (nothing.e, nothing.support) == (1.0, 1.0)
    for pairs_show, shown in ((300.0, 150.0), (10.0, 50.0)):
        passing = Judgement(labels=Paired(most_support=pairs_show), quality=TwoSample(most_support=log(100)))
        assert arm(verdict(passing, POLICY), "labels").support == pytest.approx(shown)
