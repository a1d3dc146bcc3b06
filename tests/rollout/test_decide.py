"""The next step of a rollout, as a table of slots and what is observed."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from knoll.errors import NewerSchema
from knoll.gate import check_version, examined
from knoll.models import GateSpec, RolloutSpec
from knoll.records.champion_score import ChampionScore
from knoll.records.evidence import Report
from knoll.records.golden import GoldenScore
from knoll.records.manifest import Manifest
from knoll.rollout.comparison import Comparison, Held
from knoll.rollout.counted import CandidateCounts, Evidence
from knoll.rollout.decide import next_step
from knoll.rollout.evidence import Judgement, Seen, Tally, begin, count, judge
from knoll.rollout.evidence.two_sample import TwoSample
from knoll.rollout.observed import Observed
from knoll.rollout.slot import Slot, slot_from_status, slot_to_status
from knoll.rollout.steering import Edit, Handled, Steering
from knoll.rollout.steps import (
    Compare,
    HoldBack,
    NotYet,
    Promote,
    Replay,
    Restore,
    Rollback,
    Settle,
    Shift,
    Step,
    SteppedBack,
    TrafficSeen,
)
from knoll.rollout.transition import Transition

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
POLICY = RolloutSpec.model_validate(
    {"steps": [20, 50], "minRequests": 20, "bake": "60s", "progressDeadline": "100s"}
)
LAX = POLICY.model_copy(update={"margin": 1.0})
READY = Observed(is_ready=True, percent=20, champion_url="http://prev")


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).isoformat()


def evidence(requests: int, errors: int = 0, before: int = 0) -> Evidence:
    return Evidence(CandidateCounts(requests, errors, in_step=requests - before), before=before)


def judged(slot: Slot, candidate: Tally, champion: Tally, margin: float = 0.02) -> Slot:
    """The slot after both have answered so much, the candidate with all traffic in a bake. The champion has
    answered 1,000 requests before."""
    counts = CandidateCounts(
        candidate.answered, candidate.errors, in_step=candidate.answered, refused=candidate.refusals
    )
    known, is_shared = begin(Tally(1000), Seen(), margin), slot.phase == "Canary"
    after = judge(known, Seen(champion, candidate), is_shared)
    return replace(slot, evidence=Evidence(counts), judgement=after)


CANARY = Slot(
    champion="v000001", candidate="v000002", phase="Canary", step=0, percent=20, since=ago(10), seen=ago(1)
)
DEPLOYING = replace(CANARY, phase="Deploying", seen="")
BAKING = replace(CANARY, phase="Baking", percent=100, since=ago(200), seen=ago(10))
YIELDING = replace(BAKING, phase="RollingBack", percent=0, since=ago(10), steps_back=True)
ALONE = replace(CANARY, seen="", since=ago(31), proven="v000002")
LAST = replace(CANARY, step=1, percent=50)
FIRST = replace(CANARY, champion="", candidate="v000001", percent=100)


def compared(agreed: int, of: int = 20, **changes: Any) -> Slot:
    """When up to 20 samples have answers."""
    found = Comparison("v000002", "v000001", ago(10), of, min(of, 20), agreed)
    return replace(DEPLOYING, comparison=replace(found, **changes))


SHORT = compared(15, repeated=20, repeat_agreed=20)
TAGGED = replace(READY, champion_url="")


@pytest.mark.parametrize(
    ("name", "slot", "observed", "step"),
    [
        ("idle has nothing to do", Slot(), Observed(), NotYet),
        ("a candidate that loads is waited for", DEPLOYING, Observed(), NotYet),
        ("a candidate that cannot load is rolled back", DEPLOYING, Observed(failure="digest"), Rollback),
        (
            "a candidate that takes too long is rolled back",
            replace(DEPLOYING, since=ago(101)),
            Observed(),
            Rollback,
        ),
        ("a ready candidate is compared first", DEPLOYING, READY, Compare),
        ("while samples are left it is asked on", compared(10, of=30), READY, Compare),
        ("if it agrees, it gets its first traffic", compared(16), READY, Shift),
        ("if it agrees too little, the champion is asked", compared(15), READY, Compare),
        ("as long as samples are left", compared(15, repeated=19, repeat_agreed=0), READY, Compare),
        ("if that agrees with itself, it is held back", SHORT, READY, HoldBack),
        ("the champion may differ, too", compared(15, repeated=20, repeat_agreed=19), READY, Shift),
        ("but not it alone", compared(14, repeated=20, repeat_agreed=19), READY, HoldBack),
        ("without a way to the champion it is held back", compared(15), TAGGED, HoldBack),
        ("without time, too", compared(15, since=ago(101)), READY, HoldBack),
        ("by what is known", compared(15, repeated=19, since=ago(101)), READY, HoldBack),
        ("if it was the champion before, it is not", replace(compared(0), proven="v000002"), READY, Shift),
        ("without anything to compare, neither", compared(0, of=0), READY, Shift),
        ("but if the samples are gone, it is", compared(0, of=0, is_missing=True), READY, HoldBack),
        ("another champion is another measure", replace(compared(20), champion="v000000"), READY, Compare),
        ("evidence counts from when the traffic is seen", replace(CANARY, seen=""), READY, TrafficSeen),
        (
            "unseen traffic is waited for",
            replace(CANARY, seen=""),
            replace(READY, percent=0),
            NotYet,
        ),
        ("too few requests are waited for", CANARY, READY, NotYet),
        ("after a pause samples are replayed", replace(CANARY, seen=ago(30)), READY, Replay),
        ("enough requests shift the traffic", replace(CANARY, evidence=evidence(20)), READY, Shift),
        (
            "requests of the step before do not count",
            replace(CANARY, evidence=evidence(30, before=20)),
            READY,
            NotYet,
        ),
        (
            "the last step waits until it is shown that the candidate fails no more",
            judged(LAST, Tally(20), Tally(20)),
            READY,
            NotYet,
        ),
        ("and then goes on to the bake", judged(LAST, Tally(240), Tally(240)), READY, Promote),
        (
            "a route to the champion is waited for, to replay",
            replace(CANARY, seen=ago(30)),
            replace(READY, champion_url=""),
            NotYet,
        ),
        (
            "refused requests are no evidence",
            replace(CANARY, evidence=Evidence(CandidateCounts(19, in_step=19, refused=100))),
            READY,
            NotYet,
        ),
        (
            "in the bake nothing is compared, and a few refusals say nothing",
            judged(BAKING, Tally(59, 0, 1), Tally()),
            READY,
            NotYet,
        ),
        (
            "a version that refuses much in its bake shares the traffic again",
            judged(BAKING, Tally(59, 0, 50), Tally()),
            READY,
            Shift,
        ),
        (
            "a candidate that refuses what the champion answers is rolled back",
            judged(CANARY, Tally(11, 0, 9), Tally(50, 0, 1)),
            READY,
            Rollback,
        ),
        ("a first version has one step", replace(FIRST, evidence=evidence(20)), READY, Promote),
        ("failed requests roll back at once", judged(CANARY, Tally(5, 5), Tally(20)), READY, Rollback),
        ("one failure does not", judged(CANARY, Tally(19, 1), Tally(80)), READY, NotYet),
        ("nor an outage that hits both", judged(CANARY, Tally(19, 10), Tally(80, 42)), READY, NotYet),
        ("failed requests of a first version, too", replace(FIRST, evidence=evidence(3, 1)), READY, Rollback),
        ("one in a thousand does not", replace(FIRST, evidence=evidence(1000, 1)), READY, Promote),
        ("the bake takes its time", BAKING, READY, NotYet),
        ("a bake without failures promotes", replace(BAKING, seen=ago(61)), READY, Promote),
        ("a bake waits for its traffic", replace(BAKING, seen=""), READY, NotYet),
        ("and begins with it", replace(BAKING, seen=""), replace(READY, percent=100), TrafficSeen),
        (
            "a version that is not there does not bake",
            replace(BAKING, seen="", since=ago(99)),
            Observed(),
            NotYet,
        ),
        ("and has a deadline", replace(BAKING, seen=""), Observed(trouble="ImagePullBackOff"), Rollback),
        (
            "but not in a pause",
            replace(BAKING, seen="", steering=Steering(paused="ann")),
            Observed(),
            NotYet,
        ),
        (
            "failures during the bake share the traffic again",
            judged(replace(BAKING, seen=ago(61)), Tally(40, 20), Tally()),
            READY,
            Shift,
        ),
        (
            "also in a last step that has all of it",
            replace(judged(replace(BAKING, seen=ago(61)), Tally(40, 20), Tally()), phase="Canary"),
            READY,
            Shift,
        ),
        ("a rollback waits for the champion", replace(CANARY, phase="RollingBack"), Observed(), NotYet),
        ("and is complete when it is ready", replace(CANARY, phase="RollingBack"), READY, Settle),
        (
            "the rollback of a first version is complete at once",
            replace(FIRST, phase="RollingBack"),
            Observed(),
            Settle,
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_next_step(name: str, slot: Slot, observed: Observed, step: type) -> None:
    found = next_step(slot, POLICY, observed, NOW, min_agreement=0.8)
    assert isinstance(found, step), f"{name}: {found}"


HELD = replace(CANARY, steering=Steering(paused="ann"))
WAITS = "waiting for the candidate to load, verify and answer its warm-up"
LOADED = "ready: loaded, verified, warm"


@pytest.mark.parametrize(
    ("slot", "observed", "step"),
    [
        (Slot(), Observed(), NotYet("no version is on trial")),
        (DEPLOYING, Observed(), NotYet(WAITS)),
        (DEPLOYING, Observed(trouble="it pulls"), NotYet(f"{WAITS}: it pulls")),
        (replace(DEPLOYING, since=ago(100)), Observed(), NotYet(WAITS)),
        (DEPLOYING, Observed(failure="digest"), Rollback("never became ready: digest")),
        (
            replace(DEPLOYING, since=ago(101)),
            Observed(trouble="it pulls"),
            Rollback("did not become ready within 100 s: it pulls", "deadline"),
        ),
        (replace(FIRST, phase="Deploying"), READY, Shift(0, 100, LOADED)),
        (DEPLOYING, READY, Compare()),
        (compared(10, of=30, since=ago(100)), READY, Compare()),
        (compared(10, of=30, since=ago(101)), READY, Compare(is_late=True)),
        (
            compared(16),
            READY,
            Shift(0, 20, f"{LOADED}; agrees with v000001 on 16 of 20 held-out samples"),
        ),
        (compared(15), READY, Compare(of_champion=True)),
        (
            SHORT,
            READY,
            HoldBack("agrees with v000001 on 15 of 20 held-out samples: the gate asks for agreement on 80%"),
        ),
        (replace(compared(16), steering=HELD.steering), READY, NotYet("paused at 20 % by ann")),
        (HELD, READY, NotYet("paused at 20 % by ann")),
        (replace(BAKING, steering=HELD.steering), READY, NotYet("paused at 100 % by ann")),
        (
            replace(CANARY, seen=""),
            replace(READY, percent=0),
            NotYet("waiting to see 20 % of the traffic shifted"),
        ),
        (
            replace(CANARY, evidence=evidence(20)),
            READY,
            Shift(1, 50, "20 requests at 20 %, 0 failed in all"),
        ),
        (
            replace(FIRST, evidence=evidence(20)),
            READY,
            Promote("20 requests at 100 %, 0 failed in all", final=False),
        ),
        (replace(CANARY, seen=ago(3)), READY, Replay(20, may_start=True)),
        (replace(CANARY, seen=ago(100)), READY, Replay(20, may_start=False)),
        (
            replace(CANARY, seen=ago(30)),
            replace(READY, champion_url=""),
            NotYet("waiting for a route to v000001"),
        ),
        (replace(FIRST, seen=ago(30)), replace(READY, champion_url=""), Replay(20, may_start=True)),
        (
            replace(CANARY, percent=100, seen=ago(30)),
            replace(READY, champion_url=""),
            Replay(20, may_start=True),
        ),
        (replace(BAKING, champion="", evidence=evidence(3, 1)), READY, Rollback("1 of 3 requests failed")),
        (
            replace(BAKING, seen="", since=ago(100)),
            Observed(trouble="it pulls"),
            NotYet("waiting to see 100 % of the traffic shifted: it pulls"),
        ),
        (
            replace(BAKING, seen="", since=ago(101)),
            Observed(trouble="it pulls"),
            Rollback("was not ready for its bake within 100 s: it pulls", "deadline"),
        ),
        (BAKING, READY, NotYet("baking at 100 % for 60 s")),
        (
            replace(BAKING, seen=ago(60), evidence=evidence(40, 1)),
            READY,
            Promote("baked for 60 s at 100 %, 1 of 40 requests failed in all", final=True),
        ),
        (
            replace(CANARY, phase="RollingBack", since=ago(100)),
            Observed(trouble="it pulls"),
            NotYet("waiting for v000001 to be ready again: it pulls"),
        ),
        (replace(CANARY, phase="RollingBack", since=ago(101)), Observed(), Restore()),
        (
            replace(ALONE, since=ago(30)),
            replace(READY, percent=100),
            NotYet("waiting to see 20 % of the traffic shifted"),
        ),
        (
            replace(ALONE, proven=""),
            replace(READY, percent=100),
            NotYet("waiting to see 20 % of the traffic shifted"),
        ),
        (ALONE, replace(READY, percent=99), NotYet("waiting to see 20 % of the traffic shifted")),
        (
            ALONE,
            replace(READY, percent=100),
            Promote("v000001 has no traffic to share any more", final=False),
        ),
        (YIELDING, replace(READY, percent=100), NotYet("waiting for v000001 to get the traffic")),
        (YIELDING, replace(READY, percent=1), NotYet("waiting for v000001 to get the traffic")),
        (YIELDING, Observed(), NotYet("waiting for v000001 to get the traffic")),
        (YIELDING, replace(READY, percent=0), SteppedBack()),
        (replace(YIELDING, since=ago(11)), replace(READY, percent=100), SteppedBack()),
    ],
)
def test_a_step_says_why_and_begins_at_its_bound(slot: Slot, observed: Observed, step: Step) -> None:
    assert next_step(slot, POLICY, observed, NOW, min_agreement=0.8) == step


def test_a_version_that_agrees_still_waits_where_a_human_must_approve_of_each() -> None:
    agrees = f"{LOADED}; agrees with v000001 on 16 of 20 held-out samples"
    held = next_step(compared(16), POLICY, READY, NOW, 0.8, asks_approval=True)
    assert held == HoldBack(f"{agrees}; the gate asks for approval")
    proven = replace(compared(16), proven="v000002")
    assert next_step(proven, POLICY, READY, NOW, 0.8, asks_approval=True) == Shift(0, 20, agrees)


def test_a_champion_that_must_sleep_is_not_asked() -> None:
    frugal = POLICY.model_copy(update={"strategy": "resource"})
    assert isinstance(next_step(compared(15), frugal, READY, NOW, min_agreement=0.8), HoldBack)


def test_a_policy_without_steps_gives_all_traffic_to_a_version_that_agrees() -> None:
    step = next_step(compared(10), POLICY.model_copy(update={"steps": ()}), READY, NOW)
    assert isinstance(step, Shift)
    assert (step.step, step.percent) == (0, 100)
    promote = POLICY.model_copy(update={"idle": "promote"})
    late = next_step(replace(CANARY, seen=ago(60)), promote, READY, NOW)
    assert late == Shift(1, 50, "no request at 20 % within 60 s")


def test_with_answers_that_are_spread_otherwise_somebody_must_look() -> None:
    slot = judged(LAST, Tally(120, outputs=(120, 0)), Tally(120, outputs=(60, 60)))
    seen = Seen(Tally(240, outputs=(120, 120)), Tally(240, outputs=(240, 0)))
    assert slot.judgement is not None
    step = next_step(replace(slot, judgement=judge(slot.judgement, seen)), POLICY, READY, NOW)
    assert isinstance(step, NotYet)
    assert "its 240 answers are distributed differently from those of v000001" in step.reason


def test_a_shadow_is_shown_to_fail_no_more_before_it_gets_traffic() -> None:
    policy = RolloutSpec.model_validate({"mode": "shadow", "minRequests": 20})
    shadow = replace(CANARY, percent=0)
    assert isinstance(next_step(judged(shadow, Tally(20), Tally(20)), policy, READY, NOW), NotYet)
    step = next_step(judged(shadow, Tally(240), Tally(240)), policy, READY, NOW)
    assert isinstance(step, Promote)


def test_where_one_version_runs_at_a_time_a_suspicion_rolls_back() -> None:
    policy = POLICY.model_copy(update={"strategy": "resource"})
    step = next_step(judged(BAKING, Tally(40, 20), Tally()), policy, READY, NOW)
    assert isinstance(step, Rollback)
    assert step.reason.startswith(
        "20 of 40 requests failed at 100 %, and 0.0% of those to v000001 before (E "
    )


def test_a_margin_of_one_asks_for_no_more_than_enough_requests() -> None:
    slot = judged(LAST, Tally(20), Tally(20), margin=1.0)
    assert isinstance(next_step(slot, LAX, READY, NOW), Promote)


def test_without_any_request_a_policy_that_promotes_goes_on_after_a_minute() -> None:
    policy = POLICY.model_copy(update={"idle": "promote"})
    early, late = (replace(CANARY, seen=ago(seconds)) for seconds in (59, 60))
    assert isinstance(next_step(early, policy, READY, NOW), NotYet)
    assert isinstance(next_step(late, policy, READY, NOW), Shift)
    assert isinstance(next_step(judged(late, Tally(1), Tally(9)), policy, READY, NOW), NotYet)


def test_a_replay_that_shows_nothing_ends() -> None:
    """The candidate fails a little more often than may be, and not clearly more."""
    slot = judged(replace(LAST, seen=ago(30)), Tally(60, 1), Tally(60))
    assert isinstance(next_step(slot, POLICY, READY, NOW), Replay)
    counts = replace(slot.evidence.counts, replayed=2000, in_step=20)
    assert isinstance(next_step(replace(slot, evidence=Evidence(counts)), POLICY, READY, NOW), NotYet)


def test_without_traffic_a_policy_that_holds_never_decides() -> None:
    policy = POLICY.model_copy(update={"idle": "hold"})
    assert isinstance(next_step(replace(CANARY, seen=ago(10_000)), policy, READY, NOW), NotYet)


def test_a_slot_survives_the_way_through_a_status_with_what_others_keep_there() -> None:
    slot = replace(CANARY, evidence=evidence(7, 1, before=3)).moved(
        "Shift", ago(0), "20 requests", percent=50, step=1
    )
    slot = replace(slot, quarantine={"v000003": "why"})
    status = slot_to_status(slot, {"dataset": {"state": "Landed"}})
    assert slot_from_status(status) == slot
    assert status["dataset"] == {"state": "Landed"}


def test_a_status_of_another_knoll_is_read_and_keeps_its_fields() -> None:
    """Fields that only a newer knoll knows stay as long as they are about the same decision or rollout."""
    slot = replace(CANARY, evidence=evidence(7)).moved("Shift", ago(0), "enough", percent=50)
    status = json.loads(json.dumps(slot_to_status(slot, {})))
    status["rollout"]["arms"] = 2
    status["rollout"]["evidence"]["sessions"] = 5
    status["rollout"]["transition"]["judge"] = "e-process"
    assert slot_from_status(status) == slot
    assert slot_to_status(slot, status) == status
    after = slot_to_status(slot.moved("Bake", ago(0), "enough"), status)["rollout"]
    assert (after["arms"], after["evidence"]["sessions"], "judge" in after["transition"]) == (2, 5, False)
    other = slot_to_status(slot.moved("Start", ago(0), "new", candidate="v000009"), status)["rollout"]
    assert (other["arms"], "sessions" in other["evidence"]) == (2, False)
    undecided = {"rollout": {"evidence": {"sessions": 5}}}
    assert slot_to_status(Slot(), undecided)["rollout"]["evidence"]["sessions"] == 5


def test_a_list_in_a_status_is_as_long_as_it_was_and_keeps_what_a_newer_knoll_has_put_behind_it() -> None:
    """An older knoll cuts a list off where it knows it to end, so no list gets longer."""
    slot = replace(CANARY, evidence=Evidence(earlier=(100, 0, 30))).moved("Shift", ago(0), "enough")
    status = json.loads(json.dumps(slot_to_status(slot, {})))
    kept = status["rollout"]["evidence"]
    assert (kept["earlier"], kept["earlierRefused"]) == ([100, 0], 30)
    kept["earlier"].append(5)
    assert slot_from_status(status) == slot
    assert slot_to_status(slot, status) == status


def test_what_a_newer_knoll_has_added_stays_while_it_is_about_the_same() -> None:
    """In each object of the status."""
    compared, held = Comparison("v000002", "v000001", "now"), Held("v000003", "why", "now")
    steering = Steering(Handled("1"), edit=Edit(7, ("spec",)))
    judged = Judgement(errors=TwoSample(past=9))
    made = replace(CANARY, comparison=compared, held=held, steering=steering, judgement=judged)
    slot = replace(made.moved("Shift", ago(0), "enough"), steering=steering, decided=Transition(1, "Start"))
    status = json.loads(json.dumps(slot_to_status(slot, {})))
    rollout = status["rollout"]
    inner = [rollout[name] for name in ("evidence", "judgement", "transition", "decided", "comparison")]
    objects = [rollout, *inner, rollout["judgement"]["errors"], status["held"], status["steering"]]
    for one in (*objects, status["steering"]["wish"], status["steering"]["edit"]):
        one["addedLater"] = 1
    assert slot_to_status(slot, status) == status
    other = replace(
        slot, held=Held("v000004", "why", "now"), comparison=Comparison("v000004", "v000001", "now")
    )
    after = slot_to_status(other, status)
    assert ["addedLater" in one for one in (after["held"], after["rollout"]["comparison"])] == [False, False]


@pytest.mark.parametrize("name", ["number", "action", "at", "version", "percent", "reason", "evidence"])
def test_a_status_without_a_field_is_read(name: str) -> None:
    status = slot_to_status(CANARY.moved("Shift", ago(0), "enough"), {})
    rollout = {**status["rollout"]}
    rollout["transition"] = {key: one for key, one in rollout["transition"].items() if key != name}
    assert slot_from_status({"phase": "Canary", "rollout": rollout}).transition is not None
    assert slot_from_status({"phase": "Canary", "rollout": {}}) == Slot(phase="Canary")


def test_a_phase_that_only_a_newer_knoll_knows_is_left_to_the_one_that_the_slot_names() -> None:
    for rollout, fix in (({}, "the newer version"), ({"needs": "99.0.0"}, "use knoll 99.0.0 or a newer one")):
        with pytest.raises(NewerSchema, match="Pausing") as caught:
            slot_from_status({"phase": "Pausing", "rollout": rollout})
        assert fix in caught.value.fix
    assert slot_to_status(Slot(), {})["rollout"]["needs"]


def test_counts_that_knoll_0_1_kept_in_the_status_still_count() -> None:
    """A replica that both knolls know counts once, with the larger numbers."""
    found = {"instances": {"a": [30, 1], "b": [5, 5]}, "replays": [20, 2], "before": 40}
    slot = slot_from_status({"phase": "Canary", "rollout": {"evidence": found}})
    reports = {name: Report("digits", "v000002", name, *counts) for name, counts in REPORTED.items()}
    counts = count(slot.evidence, reports).counts
    assert counts == CandidateCounts(requests=50 + 5 + 10 + 20, errors=1 + 5 + 3 + 2, replayed=20, in_step=45)
    kept = slot_to_status(slot, {})["rollout"]["evidence"]
    assert {name: kept[name] for name in found} == found


REPORTED = {"a": (50, 0), "b": (4, 4), "c": (10, 3)}


def test_what_was_reported_before_the_rollout_does_not_count() -> None:
    reports = {"a": Report("digits", "v000002", "a", 12, 7)}
    assert count(Evidence(earlier=(10, 6, 0), before=1), reports).counts == CandidateCounts(2, 1, 0, 1)


@pytest.mark.parametrize(
    ("bound", "value", "naive", "passes"),
    [
        ({"atLeast": 0.1}, 0.4, 0.5, False),
        ({"atLeast": 0.1}, 0.5, 0.5, True),
        ({"atMost": 0.9}, 0.6, 0.5, False),
        ({"atMost": 0.9}, 0.4, 0.5, True),
        ({"atLeast": 0.1, "beatBaseline": False}, 0.4, 0.5, True),
        ({}, 0.4, 0.5, False),
        ({}, 0.4, None, True),
    ],
)
def test_a_version_that_is_worse_than_a_naive_answer_is_refused(
    bound: dict[str, Any], value: float, naive: float | None, passes: bool
) -> None:
    """Unless the gate allows it, or nobody has measured the naive answer, as in versions of knoll 0.2."""
    made = replace(manifest("v000001", quality=value), baseline={} if naive is None else {"quality": naive})
    found = examined(check_version(GateSpec.model_validate({"metric": "quality", **bound}), made, None))
    told = "quality is 0.4, that of the naive baseline is 0.5: worse, and gate.beatBaseline does not allow it"
    assert (found.fault == "") is passes
    if not passes and value == 0.4:
        assert found.fault == told
        assert found.numbers["quality beside the naive baseline"]["atLeast"] == 0.5


def fault_of(gate: GateSpec, candidate: Manifest, champion: Manifest | None, pinned: str = "") -> str:
    return examined(check_version(gate, candidate, champion, pinned)).fault


def manifest(version: str, **metrics: float) -> Manifest:
    return Manifest("digits", version, "image-classifier", "run", "digest", {}, metrics, "now", "0", {})


@pytest.mark.parametrize(
    ("gate", "metrics", "champion", "passes"),
    [
        ({"metric": "accuracy", "atLeast": 0.9}, {"accuracy": 0.9}, None, True),
        ({"metric": "accuracy", "atLeast": 0.9}, {"accuracy": 0.89}, None, False),
        ({"metric": "accuracy", "atLeast": 0.9}, {"accuracy": float("nan")}, None, False),
        ({"metric": "accuracy", "atLeast": 0.9}, {"loss": 0.1}, None, False),
        ({"metric": "accuracy", "maxRegression": 0.01}, {"accuracy": 0.97}, {"accuracy": 0.975}, True),
        ({"metric": "accuracy", "maxRegression": 0.01}, {"accuracy": 0.95}, {"accuracy": 0.975}, False),
        ({"metric": "accuracy", "maxRegression": 0.01}, {"accuracy": 0.1}, {"loss": 1.0}, True),
        (
            {"metric": "distance", "atMost": 10, "maxRegression": 1},
            {"distance": 8.0},
            {"distance": 7.5},
            True,
        ),
        (
            {"metric": "distance", "atMost": 10, "maxRegression": 1},
            {"distance": 9.0},
            {"distance": 7.5},
            False,
        ),
    ],
)
def test_the_gate_compares_with_its_bounds_and_the_champion(
    gate: dict[str, object], metrics: dict[str, float], champion: dict[str, float] | None, passes: bool
) -> None:
    before = manifest("v000001", **champion) if champion else None
    reason = fault_of(GateSpec.model_validate(gate), manifest("v000002", **metrics), before)
    assert (reason == "") is passes, reason


def beside(recall: float, **scores: float) -> Manifest:
    """A candidate of this recall of sevens. The champion has these scores on its examples, and recalls nine
    of ten sevens and all ones."""
    champion = ChampionScore("v000001", "pin", scores, {"recall": {"1": 1.0, "7": 0.9}})
    slices = {"recall": {"1": 1.0, "7": recall}}
    return replace(manifest("v000002", accuracy=0.9), slices=slices, champion=champion)


@pytest.mark.parametrize(
    ("candidate", "told"),
    [
        (beside(0.9, accuracy=0.9), ""),
        (beside(0.9, accuracy=0.95), "accuracy is 0.9, that of v000001 is 0.95"),
        (beside(0.86, accuracy=0.9), ""),
        (beside(0.5, accuracy=0.9), "recall of 7 is 0.5, that of v000001 is 0.9 on the same examples"),
        (replace(beside(0.9, accuracy=0.9), slices={}), "recall of 1 is 0, that of v000001 is 1"),
    ],
)
def test_candidate_and_champion_are_compared_on_the_same_examples(candidate: Manifest, told: str) -> None:
    """As a whole, and class by class. What the champion has scored on its own examples does not count."""
    gate = GateSpec.model_validate({"metric": "accuracy", "maxRegression": 0.01, "maxSliceRegression": 0.05})
    for on_its_own in (0.5, 0.99):
        reason = fault_of(gate, candidate, manifest("v000001", accuracy=on_its_own))
        assert told in reason
        assert bool(reason) == bool(told)
    assert fault_of(gate, candidate, manifest("v000000", accuracy=0.9)) == ""


@pytest.mark.parametrize(
    ("gate", "told"),
    [
        ({"sliceAtLeast": 0.8}, ""),
        ({"sliceAtLeast": 0.9}, "recall of 7 is 0.85, the gate asks for at least 0.9"),
        ({"also": [{"metric": "loss", "atMost": 0.2}]}, "loss is 0.25, the gate asks for at most 0.2"),
        (
            {"also": [{"metric": "loss", "atMost": 0.3, "maxRegression": 0.01}]},
            "loss is 0.25, that of v000001 is 0.2",
        ),
        ({"also": [{"metric": "loss", "atMost": 0.3, "maxRegression": 0.1}]}, ""),
        (
            {"atLeast": 0.95, "sliceAtLeast": 0.9},
            "accuracy is 0.9, the gate asks for at least 0.95; recall of 7 is",
        ),
    ],
)
def test_each_metric_and_each_part_has_its_own_bounds(gate: dict[str, Any], told: str) -> None:
    """All that does not pass is told."""
    candidate = replace(beside(0.85, accuracy=0.9, loss=0.2), metrics={"accuracy": 0.9, "loss": 0.25})
    spec = GateSpec.model_validate({"metric": "accuracy", **gate})
    reason = fault_of(spec, candidate, manifest("v000001", accuracy=0.9))
    assert told in reason
    assert bool(reason) == bool(told)


def test_a_version_without_parts_fails_a_bound_of_parts() -> None:
    gate = GateSpec.model_validate({"metric": "accuracy", "sliceAtLeast": 0.1})
    assert "the version has none" in fault_of(gate, manifest("v000001", accuracy=0.9), None)


EXAM = "s3://exams/digits/"
PINNED = "d1"


def scored(version: str, on_golden: float | None, digest: str = "d1", held_out: float = 0.97) -> Manifest:
    """A version with this accuracy on the golden set, and that one on held-out examples."""
    golden = None if on_golden is None else GoldenScore(EXAM, digest, 9, {"accuracy": on_golden})
    return replace(manifest(version, accuracy=held_out), golden=golden)


@pytest.mark.parametrize(
    ("candidate", "champion", "told"),
    [
        (scored("v000002", 0.95), None, ""),
        (scored("v000002", 0.2), None, "accuracy on the golden set is 0.2, the gate asks for at least 0.9"),
        (scored("v000002", 0.95, held_out=0.2), None, "accuracy is 0.2, the gate asks for at least 0.9"),
        (
            scored("v000002", None),
            None,
            f"asks for a score on the golden set {EXAM}, and the version has none",
        ),
        (scored("v000002", 0.95, "d2"), None, "with digest d2, and d1 is pinned"),
        (
            scored("v000002", 0.95),
            scored("v000001", 0.98),
            "on the golden set is 0.95, that of v000001 is 0.98",
        ),
        (scored("v000002", 0.95), scored("v000001", 0.98, "d0"), ""),
        (scored("v000002", 0.95), scored("v000001", None), ""),
    ],
)
def test_the_bounds_hold_on_the_golden_set_and_on_the_held_out_examples(
    candidate: Manifest, champion: Manifest | None, told: str
) -> None:
    """A champion is compared on the golden set if it was scored on the same one."""
    gate = GateSpec.model_validate(
        {"metric": "accuracy", "atLeast": 0.9, "maxRegression": 0.01, "goldenSet": EXAM}
    )
    reason = fault_of(gate, candidate, champion, PINNED)
    assert told in reason
    assert bool(reason) == bool(told)


def test_a_golden_set_that_nobody_pinned_decides_nothing() -> None:
    gate = GateSpec.model_validate({"metric": "accuracy", "atLeast": 0.9, "goldenSet": EXAM})
    assert "is not pinned" in fault_of(gate, scored("v000002", 0.95), None)


def test_a_shadow_has_one_step_without_traffic() -> None:
    """It gets copies beside the champion, and must fail hardly more before its bake. A first version has
    nobody to stand beside."""
    policy = POLICY.model_copy(update={"mode": "shadow"})
    begun = next_step(compared(20), policy, READY, NOW)
    assert isinstance(begun, Shift)
    assert (begun.step, begun.percent) == (0, 0)
    unseen = replace(CANARY, percent=0, seen="")
    assert isinstance(next_step(unseen, policy, replace(READY, percent=0), NOW), TrafficSeen)
    shadow = replace(CANARY, percent=0)
    few, enough = (next_step(judged(shadow, Tally(n), Tally(n)), policy, READY, NOW) for n in (20, 240))
    assert isinstance(few, NotYet)
    assert isinstance(enough, Promote)
    assert enough.reason.startswith(
        "240 requests at 0 %, 0 failed in all; it fails less than 2.0% more often "
    )
    first = next_step(replace(DEPLOYING, champion=""), policy, READY, NOW)
    assert isinstance(first, Shift)
    assert first.percent == 100
