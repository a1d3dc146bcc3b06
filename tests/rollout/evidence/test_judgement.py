import json
from dataclasses import replace

import pytest

from knoll.records.answered import Answered
from knoll.records.evidence import Report
from knoll.records.outputs import Outputs
from knoll.rollout.evidence import (
    Compared,
    Judgement,
    Seen,
    Tally,
    begin,
    judge,
    judgement_to_fields,
    read_judgement,
    tally,
)
from knoll.rollout.evidence.arms import ARMS, PASS_ALPHA, SUSPICION
from knoll.rollout.evidence.paired import Pairs
from knoll.rollout.evidence.two_sample import Batch, Rule, TwoSample
from knoll.rollout.replay_times import usual_edges

EDGES = (0.01, 0.1, 1.0)
HISTORY = Tally(400, 4, 8, EDGES, (200, 180, 15, 5), (300, 100))


def seen(rounds: int, bad: int = 0, refused: int = 0, slow: int = 0) -> Seen:
    """So many rounds of 19 requests of the champion and one of the candidate, of which so many are bad."""
    champion = Tally(
        19 * rounds, 0, 0, EDGES, (10 * rounds, 8 * rounds, rounds, 0), (10 * rounds, 9 * rounds)
    )
    candidate = Tally(rounds, bad, refused, EDGES, (rounds - slow, 0, 0, slow), (rounds, 0))
    return Seen(champion, candidate, Compared(rounds, bad, rounds, bad, 0))


def rolled(judgement: Judgement, rounds: int, is_bad: bool = False) -> Judgement:
    for number in range(1, rounds + 1):
        judgement = judge(judgement, seen(number, number * is_bad))
    return judgement


def test_the_alphas_of_the_arms_that_may_fail_are_half_a_per_cent_together() -> None:
    assert sum(arm.alpha for arm in ARMS if arm.may_fail) == pytest.approx(0.005)
    assert [(arm.name, round(arm.fail_at), arm.delta, arm.margin) for arm in ARMS] == [
        ("errors", 400, 0.0025, 0.02),
        ("latencyP95", 1333, 0.02, None),
        ("latencyP50", 1333, 0.05, None),
        ("refusals", 5000, 0.01, None),
        ("outputs", 400, 0.0, None),
        ("agreement", 3333, 0.02, 0.02),
        ("labels", 3333, 0.01, 0.05),
        ("lateErrors", 5000, 0.02, None),
    ]
    assert [arm.name for arm in ARMS if not arm.may_fail] == ["outputs"]


def test_a_candidate_passes_at_one_in_a_hundred_and_is_suspected_at_one_in_twenty() -> None:
    assert (PASS_ALPHA, SUSPICION) == (0.01, (0.02, 20.0))


def test_the_margin_of_the_start_holds_for_all_batches() -> None:
    shaky = begin(Tally(4000, 400), Seen())
    expected = shaky.errors.after_batch(Rule(0.0025, shaky.margin), Batch(40, 3, 760, 0))
    assert judge(shaky, seen(40, 3)).errors == expected


def test_the_buckets_end_near_the_p95_and_the_median_of_the_champion() -> None:
    edges, latency = (0.01, 0.02, 0.05, 0.1), (300, 220, 280, 160, 40)
    start = begin(Tally(1000, edges=edges, latency=latency), Seen())
    assert (start.slow, start.middling) == (0.1, 0.02)


def test_a_pass_that_is_repeated_changes_nothing() -> None:
    once = rolled(begin(HISTORY, Seen()), 20, is_bad=True)
    assert judge(once, once.seen) == once


def test_only_what_is_new_is_judged() -> None:
    before = seen(50, 50, 50, 50)
    assert begin(Tally(), before).errors == TwoSample()
    after = judge(begin(Tally(), before), seen(60, 50, 50, 50))
    assert after.errors == TwoSample().after_batch(Rule(0.0025, 0.02), Batch(10, 0, 190, 0))


def test_each_arm_gets_its_own_counts_and_tolerance() -> None:
    start = begin(HISTORY, Seen())
    after = judge(start, seen(40, 10, 20, 30))
    assert after.errors == start.errors.after_batch(Rule(0.0025, 0.02), Batch(20, 10, 760, 0))
    assert after.refusals == start.refusals.after_batch(Rule(0.01), Batch(40, 20, 760, 0))
    assert (start.slow, start.middling) == (0.1, 0.01)
    assert after.latency_p95 == start.latency_p95.after_batch(Rule(0.02), Batch(40, 30, 760, 40))
    assert after.latency_p50 == start.latency_p50.after_batch(Rule(0.05), Batch(40, 30, 760, 360))
    assert after.outputs == start.outputs.after_batch((40, 0), (400, 360))
    assert after.agreement == start.agreement.after_batch(0.02, 40, 10)
    assert after.labels == start.labels.after_batch(0.01, 0.05, Pairs(40, 10, 0))
    assert after.suspicion == start.suspicion


def test_the_history_of_the_champion_serves_bets_and_the_margin() -> None:
    start = begin(HISTORY, Seen())
    assert (start.errors.past, start.errors.past_bad, start.refusals.past_bad) == (392, 4, 8)
    assert (start.latency_p95.past_bad, start.latency_p50.past_bad) == (20, 200)
    assert start.outputs.champion == (300, 100)
    assert (start.margin, start.errors.most, start.errors.support) == (0.02, 1, 0)
    shaky = begin(Tally(4000, 400, outputs=(3000, 1000)), Seen())
    assert shaky.margin == pytest.approx(100.3 / 1030)
    assert (shaky.errors.past, shaky.errors.past_bad) == (1000, 100)
    assert shaky.outputs.champion == (750, 250)
    assert rolled(shaky, 30).margin == shaky.margin


def test_a_judgement_begins_with_what_the_policy_asks_for_and_with_known_labels() -> None:
    asked = begin(Tally(4000, 400, labelled=400, wrong=10, outputs=(0, 0)), Seen(), 0.01, has_pairs=False)
    assert (asked.asked, asked.margin, asked.has_pairs) == (0.01, 100.3 / 1030, False)
    assert (asked.quality, asked.outputs.champion) == (TwoSample(400, 10), ())
    pairs = judge(
        begin(Tally(), Seen()), Seen(compared=Compared(labelled=9, only_champion=2, only_candidate=3))
    )
    assert pairs.labels == Judgement().labels.after_batch(0.01, 0.05, Pairs(9, 2, 3))
    alone = judge(asked, Seen(compared=Compared(labelled=9, only_champion=2)))
    assert alone.labels == Judgement().labels


def test_a_champion_that_always_failed_leaves_a_candidate_no_room_to_be_suspected() -> None:
    start = begin(Tally(1000, 1000), Seen())
    after = judge(start, Seen(candidate=Tally(10, 5)), is_shared=False)
    assert after.suspicion == start.suspicion.after_batch(0.99, 10, 5)


def test_a_batch_is_never_judged_by_a_bucket_that_it_chose() -> None:
    first = judge(begin(Tally(), Seen()), seen(10))
    assert (first.slow, first.middling, first.latency_p95) == (0.1, 0.01, TwoSample())
    assert judge(first, seen(20)).latency_p95.judged == 10
    assert judge(begin(Tally(), Seen()), seen(2)).slow is None
    for timed, slow in ((49, None), (50, 0.1)):
        assert begin(Tally(edges=EDGES, latency=(0, timed, 0, 0)), Seen()).slow == slow


def test_a_lost_judgement_is_made_anew_from_all_that_is_counted() -> None:
    """As one batch, which is valid and finds less."""
    passes, anew = rolled(begin(HISTORY, Seen()), 12, True), judge(begin(HISTORY, Seen()), seen(12, 12))
    assert anew.seen == passes.seen
    assert anew.errors.judged == passes.errors.judged == 12
    assert anew.errors.most > 400


def test_late_outcomes_are_compared_with_late_ones_and_never_help_to_pass() -> None:
    start = begin(replace(HISTORY, late=(100, 2)), Seen())
    assert (start.late.past, start.late.past_bad) == (100, 2)
    known = seen(40)
    late = replace(known.candidate, late=(8, 3)), replace(known.champion, late=(150, 1))
    after = judge(start, replace(known, candidate=late[0], champion=late[1]))
    assert after.late == start.late.after_batch(Rule(0.02), Batch(8, 3, 150, 1))
    assert after.late.support == 0
    assert replace(after, late=start.late, seen=known) == judge(start, known)


def test_late_outcomes_that_fail_in_the_bake_are_suspicious_above_late_ones_of_the_champion() -> None:
    for known, is_suspected in (((1000, 0), True), ((1000, 200), False)):
        start = begin(replace(HISTORY, late=known), Seen())
        late = Seen(candidate=Tally(late=(30, 6)))
        found = judge(start, late, is_shared=False)
        assert (found.suspicion.requests, found.suspicion.bad) == (30, 6)
        assert (found.suspicion.most >= SUSPICION[1]) == is_suspected


def test_with_all_traffic_a_candidate_is_only_suspected() -> None:
    start = rolled(begin(HISTORY, Seen()), 30)
    champion = start.seen.champion
    after = judge(start, replace(seen(40, 3), champion=champion), is_shared=False)
    assert (after.errors, after.latency_p95) == (start.errors, start.latency_p95)
    assert (after.suspicion.requests, after.suspicion.bad) == (10, 3)
    tolerated = (4 + 0.3) / (392 + 570 + 30) + 0.02
    assert after.suspicion == start.suspicion.after_batch(tolerated, 10, 3)
    assert after.seen.candidate.errors == 3


def test_answers_in_other_bins_are_not_compared() -> None:
    """As after a change of the classes."""
    start = begin(HISTORY, Seen())
    champion, candidate = Tally(20, outputs=(10, 10), bins="a"), Tally(20, outputs=(20, 0, 0), bins="b")
    assert judge(start, Seen(champion, candidate)).outputs == start.outputs
    same = judge(start, Seen(champion, replace(candidate, bins="a"))).outputs
    assert same == start.outputs.after_batch((20, 0, 0), (10, 10))


def test_a_judgement_is_the_same_after_a_way_through_json() -> None:
    judgement = rolled(begin(HISTORY, Seen()), 7, True)
    fields = json.loads(json.dumps(judgement_to_fields(judgement)))
    assert read_judgement(fields) == judgement
    assert read_judgement({**fields, "unknown": 1}) == judgement
    assert read_judgement({"margin": 0.05}) == Judgement(margin=0.05)


@pytest.mark.parametrize("found", [None, {}, {"margin": "wide"}])
def test_a_judgement_that_is_none_is_begun_again(found: dict[str, str] | None) -> None:
    assert read_judgement(found) is None


def test_what_is_counted_since_a_tally() -> None:
    before, now = (
        Tally(10, 2, 1, EDGES, (5, 3, 2, 0), (4, 6)),
        Tally(15, 1, 4, EDGES, (9, 3, 2, 1), (7, 7, 1)),
    )
    assert now.since(before) == Tally(5, 0, 3, EDGES, (4, 0, 0, 1), (3, 1, 1))
    assert now.since(Tally()) == now
    other = replace(before, edges=(1.0, 2.0, 3.0))
    assert (now.since(other).edges, now.since(other).latency) == ((), ())
    with_bins = replace(now, bins="numbers")
    assert with_bins.since(before) == replace(now.since(before), bins="numbers")
    assert with_bins.since(replace(before, bins="classes-1")).outputs == ()
    assert with_bins.since(replace(before, bins="classes-1")).bins == ""
    labelled = Tally(labelled=9, wrong=5, late=(8, 4)).since(Tally(labelled=2, wrong=3, late=(5, 3)))
    assert labelled == Tally(labelled=7, wrong=2, late=(3, 1))
    compared = Compared(9, 8, 7, 6, 5).since(Compared(1, 2, 3, 4, 5))
    assert compared == Compared(8, 6, 4, 2, 0)


def test_the_candidate_may_differ_as_often_as_the_champion_does_from_itself() -> None:
    start = begin(HISTORY, Seen(), differing=0.1)
    assert judge(start, seen(40, 5)).agreement == start.agreement.after_batch(0.1, 40, 5)
    assert (begin(HISTORY, Seen()).differing, begin(HISTORY, Seen(), differing=0.001).differing) == (
        0.02,
        0.02,
    )


def test_the_buckets_stay_as_they_were_first_chosen() -> None:
    start = begin(HISTORY, Seen())
    slower = Tally(900, edges=EDGES, latency=(0, 0, 100, 800))
    after = judge(start, Seen(slower, Tally(9)))
    assert (after.slow, after.middling) == (start.slow, start.middling) == (0.1, 0.01)


def test_refused_requests_say_nothing_in_the_bake_either() -> None:
    start = begin(HISTORY, Seen())
    after = judge(start, Seen(candidate=Tally(10, 1, 4)), is_shared=False)
    assert (after.suspicion.requests, after.suspicion.bad) == (6, 1)
    tolerated = (8 + 0.3) / (400 + 30) + 0.02
    assert after.refusal_suspicion == start.refusal_suspicion.after_batch(tolerated, 10, 4)


def test_failures_never_exceed_the_requests_of_a_batch() -> None:
    after = judge(begin(Tally(), Seen()), Seen(Tally(10), Tally(2, 5)))
    assert after.errors == TwoSample().after_batch(Rule(0.0025, 0.02), Batch(2, 2, 10, 0))


def test_how_many_are_slower_than_the_end_of_a_bucket() -> None:
    found = Tally(edges=EDGES, latency=(50, 40, 8, 2))
    assert [found.slower_than(edge) for edge in (*EDGES, 0.5)] == [(100, 50), (100, 10), (100, 2), (0, 0)]
    assert (found.edge_at(0.05), found.edge_at(0.5), Tally().edge_at(0.5)) == (1.0, 0.01, None)
    assert Tally(edges=EDGES, latency=(0, 0, 0, 0)).edge_at(0.5) is None


@pytest.mark.parametrize(
    ("median", "edge"),
    [(0.001, 0.002074), (0.00144, 0.002488), (0.006192, 0.006192), (0.1145, 0.1145)],
)
def test_no_version_is_slower_for_a_part_of_a_millisecond(median: float, edge: float) -> None:
    edges = usual_edges(40)
    half = tuple(100 * (one == median) for one in edges)
    found = Tally(edges=edges, latency=(*half, 100))
    assert found.edge_at(0.5) == edge


def test_a_tally_sums_up_reports_without_their_cold_requests() -> None:
    latency = {"bucketsSeconds": list(EDGES), "counts": [1, 2, 3, 4]}
    reports = [
        Report("digits", "v1", "a", 10, 3, cold_starts=1, refused=2, latency=latency, reported_at="2026-2"),
        Report("digits", "v1", "b", 1, 1, cold_starts=1, refused=0, latency=latency, reported_at="2026-1"),
        Report("digits", "v1", "c", 5, 0, refused=5, latency={"bucketsSeconds": [7.0], "counts": [5, 0]}),
        Report("digits", "v1", "d", 2, 0, refused=0, reported_at="2026-3"),
        Report("digits", "v1", "of knoll 0.2", 100, 50, latency=latency, reported_at="2026-4"),
        Report("digits", "v1", "f", 1, 0, cold_starts=1, refused=1, late=5, failed_late=2),
    ]
    assert tally(reports) == Tally(16, 3, 7, EDGES, (2, 4, 6, 8), late=(5, 2))
    unbounded = replace(reports[0], latency={"counts": [1, 2]})
    assert tally([unbounded]).latency == ()
    cold = Answered(3, 2, 1, 0, (0, 0, 0, 3))
    apart = Report("digits", "v1", "e", 9, 3, refused=1, latency=latency, timeouts=2, cold=cold)
    assert tally([apart]) == Tally(6, 2, 1, EDGES, (1, 2, 3, 1))
    shown, other, odd = Outputs("a", (3, 1)), Outputs("b", (7,)), Outputs("a", (9, 9, 9))
    answers = [
        replace(apart, outputs=one, reported_at=at)
        for one, at in ((other, "1"), (odd, "2"), (shown, "3"), (shown, "4"))
    ]
    assert (tally([*answers, apart]).outputs, tally(answers).bins) == ((6, 2), "a")
    assert tally([]) == Tally()


def replayed(mine: tuple[int, ...], theirs: tuple[int, ...], live: int = 0) -> Seen:
    """So many live rounds, and replays of both by bucket."""
    times = Tally(edges=EDGES, latency=mine), Tally(edges=EDGES, latency=theirs)
    return replace(seen(live), candidate_replays=times[0], champion_replays=times[1])


def test_the_times_of_replays_are_judged_by_buckets_of_their_own() -> None:
    """Live requests of the candidate would be slow where replays of both are slow."""
    known = judge(begin(HISTORY, Seen()), replayed((0, 30, 30, 0), (0, 30, 30, 0)))
    assert (known.slow_replay, known.middling_replay, known.latency_p95.judged) == (1.0, 0.1, 0)
    after = judge(known, replayed((0, 30, 40, 40), (0, 55, 55, 0)))
    assert after.latency_p95 == known.latency_p95.after_batch(Rule(0.02), Batch(50, 40, 50, 0))
    assert after.latency_p50 == known.latency_p50.after_batch(Rule(0.05), Batch(50, 50, 50, 25))
    assert (after.slow, after.middling) == (known.slow, known.middling) == (0.1, 0.01)


def test_live_requests_without_a_counterpart_wait_on_beside_replays() -> None:
    """Together with replays they would give the candidate a share that it had of neither."""
    known = judge(begin(HISTORY, Seen()), replayed((0, 30, 30, 0), (0, 30, 30, 0)))
    alone = replace(seen(10), candidate=Tally())
    after = judge(known, replace(replayed((0, 30, 30, 10), (0, 30, 40, 0)), champion=alone.champion))
    assert after.latency_p95.waiting == Batch(0, 0, 190, 10)
    assert after.latency_p95.judged == 10
