"""The slot after each decision: what changes, and what stays."""

from dataclasses import replace
from typing import Any

import pytest

from knoll.rollout.comparison import Comparison, Held
from knoll.rollout.counted import CandidateCounts, Evidence
from knoll.rollout.evidence import Judgement
from knoll.rollout.evidence.one_sample import OneSample
from knoll.rollout.moves import (
    returned,
    slot_after,
    slot_after_damage,
    slot_after_hold,
    slot_after_mend,
    slot_after_reject,
    slot_after_start,
    with_hold_checked,
    with_signatures_allowed,
)
from knoll.rollout.slot import Slot
from knoll.rollout.steering import Edit, Steering
from knoll.rollout.steps import (
    GiveUp,
    HoldBack,
    NotYet,
    Promote,
    Restore,
    Rollback,
    Settle,
    Shift,
    Step,
    SteppedBack,
    TrafficSeen,
)
from knoll.rollout.transition import Transition

AT, BEFORE = "2026-01-01T12:00:00+00:00", "2026-01-01T11:00:00+00:00"
COUNTED = Evidence(CandidateCounts(30, 2, in_step=10, replayed=5, refused=1), earlier=(7, 1, 0))
NUMBERS = {"requests": 30, "errors": 2, "replayed": 5, "inStep": 10, "refused": 1}
REST = Slot(champion="v000002", previous="v000001", pins={"v000002": "two"}, signers={"v000002": "ann"})
CANARY = replace(
    REST, candidate="v000003", phase="Canary", step=1, percent=20, since=BEFORE, seen=BEFORE, attempt=2
)
CANARY = replace(CANARY, evidence=COUNTED, judgement=Judgement(margin=0.05))
BAKING = replace(CANARY, phase="Baking", percent=100)


def said(slot: Slot) -> tuple[Any, ...]:
    """What the record of the last decision says: its number, action, version, percent and reason."""
    made = slot.transition
    assert made is not None
    assert made.at == AT
    return made.number, made.action, made.version, made.percent, made.reason


def test_a_trial_starts_without_anything_of_the_one_before() -> None:
    old = replace(
        CANARY, phase="Idle", candidate="", held=Held("v000003", "differs", BEFORE), proven="v000001"
    )
    old = replace(old, comparison=Comparison("v000003", "v000002", BEFORE))
    after = slot_after_start(old, "v000004", "four", "bob", (3, 1, 0), AT)
    assert said(after) == (1, "Start", "v000004", 0, "the gate is passed")
    assert (after.phase, after.candidate, after.percent, after.step) == ("Deploying", "v000004", 0, 0)
    assert (after.since, after.seen, after.attempt) == (AT, "", 0)
    assert (after.evidence, after.judgement, after.comparison) == (Evidence(earlier=(3, 1, 0)), None, None)
    assert (after.held, after.proven) == (None, "")
    assert after.pins == {"v000002": "two", "v000004": "four"}
    assert after.signers == {"v000002": "ann", "v000004": "bob"}


def test_a_first_version_starts_with_all_traffic_and_a_proven_one_is_approved() -> None:
    first = slot_after_start(
        Slot(), "v000001", "one", "", (0, 0, 0), AT, change="a class is gone", is_proven=True
    )
    assert said(first) == (
        1,
        "Start",
        "v000001",
        100,
        "the gate is passed, and it is allowed that a class is gone",
    )
    assert (first.percent, first.proven, first.signers) == (100, "v000001", {})
    assert first.is_approved("v000001")


def test_a_refused_version_is_in_quarantine_and_nothing_of_it_is_counted() -> None:
    held = replace(REST, evidence=COUNTED, percent=100, held=Held("v000003", "differs", BEFORE))
    after = slot_after_reject(held, "v000004", "accuracy is 0.5", AT, "signature")
    assert said(after) == (1, "Reject", "v000004", 0, "accuracy is 0.5")
    made = after.transition
    assert made is not None
    assert (made.cause, set(made.evidence.values())) == ("signature", {0})
    assert (after.phase, after.candidate, after.champion) == ("Idle", "", "v000002")
    assert (after.held, after.evidence) == (None, Evidence())
    assert (after.quarantine, after.causes) == ({"v000004": "accuracy is 0.5"}, {"v000004": "signature"})
    assert slot_after_reject(held, "v000004", "accuracy is 0.5", AT).causes == {"v000004": ""}


def test_a_version_refused_for_its_signature_alone_may_be_tried_when_others_are_allowed() -> None:
    slot = Slot().barred("v000001", "a class is gone", "signature").barred("v000002", "it failed")
    assert with_signatures_allowed(slot).quarantine == {"v000002": "it failed"}


def test_a_damaged_champion_gives_way_to_the_version_before_it() -> None:
    slot = replace(REST, listing="files", attempt=2, damage="old", held=Held("v000003", "differs", BEFORE))
    slot = replace(slot, percent=100, steering=Steering(undone="v000002"))
    slot = slot.barred("v000001", "aborted by ann", "aborted")
    after = slot_after_damage(slot, "model.onnx is gone", "", AT)
    assert said(after) == (1, "Fallback", "v000002", 0, "model.onnx is gone")
    assert (after.champion, after.previous, after.candidate) == ("v000001", "", "v000002")
    assert (after.phase, after.percent, after.attempt) == ("RollingBack", 0, 0)
    assert (after.damage, after.listing, after.held) == ("", "", None)
    assert (after.steering.undone, after.fallen) == ("", {"v000002": "files"})
    assert after.quarantine == {"v000002": "model.onnx is gone"}
    back = returned(after, "v000002")
    assert (back.quarantine, back.fallen) == ({}, {})
    other = replace(after, quarantine={"v000001": "it failed"}, fallen={"v000001": "files"})
    assert returned(other, "v000002") == other


@pytest.mark.parametrize(
    ("slot", "of_previous", "why", "quarantine"),
    [
        (replace(REST, previous=""), "", "there is no version before it", {}),
        (REST, "it is gone", "v000001 cannot take its place: it is gone", {"v000001": "it is gone"}),
        (
            REST.barred("v000001", "it failed", "deadline"),
            "",
            "v000001 cannot take its place: it failed",
            {"v000001": "it failed"},
        ),
    ],
)
def test_a_damaged_champion_without_another_one_holds(
    slot: Slot, of_previous: str, why: str, quarantine: dict[str, str]
) -> None:
    after = slot_after_damage(slot, "model.onnx is gone", of_previous, AT)
    damage = f"model.onnx is gone; {why}"
    assert said(after) == (1, "Damage", "v000002", 0, damage)
    assert (after.champion, after.candidate, after.phase) == ("v000002", "", "Idle")
    assert (after.damage, after.quarantine, after.causes.get("v000001", "")) == (
        damage,
        quarantine,
        slot.causes.get("v000001", ""),
    )


def test_a_version_that_waits_for_approval_before_its_start_leaves_all_else_as_it_is() -> None:
    served = replace(REST, percent=100, evidence=COUNTED)
    after = slot_after_hold(served, "v000003", "the gate asks for approval", AT)
    assert said(after) == (1, "Hold", "v000003", 100, "the gate asks for approval")
    assert after.held == Held("v000003", "the gate asks for approval", AT)
    assert after.transition is not None
    assert set(after.transition.evidence.values()) == {0}
    assert replace(after, transition=None, held=None) == served


def test_a_champion_whose_files_are_as_pinned_again_is_not_damaged() -> None:
    damaged = replace(REST, percent=100, evidence=COUNTED, damage="model.onnx is gone")
    after = slot_after_mend(damaged, AT)
    assert said(after) == (1, "Mend", "v000002", 100, "its files are as pinned again")
    assert after.transition is not None
    assert set(after.transition.evidence.values()) == {0}
    assert replace(after, transition=None) == replace(damaged, damage="")


@pytest.mark.parametrize(
    ("changes", "version", "min_agreement", "waits"),
    [
        ({}, "v000003", 0.8, True),
        ({}, "v000003", 0.4, False),
        ({}, "v000004", 0.8, False),
        ({"comparison": None}, "v000003", 0.4, True),
        ({"comparison": Comparison("v000001", "v000002", BEFORE)}, "v000003", 0.4, True),
        ({"steering": Steering(approved={"v000003": "ann"})}, "v000003", 0.8, False),
    ],
)
def test_a_version_waits_for_approval_as_long_as_it_agrees_too_little(
    changes: dict[str, Any], version: str, min_agreement: float, waits: bool
) -> None:
    found = Comparison("v000003", "v000002", BEFORE, samples=10, asked=10, agreed=5)
    held = replace(REST, held=Held("v000003", "differs", BEFORE), comparison=found)
    after = with_hold_checked(replace(held, **changes), version, min_agreement)
    assert (after.held is not None) == waits
    assert with_hold_checked(REST, version, min_agreement) == REST


@pytest.mark.parametrize(
    ("slot", "step", "record", "changes"),
    [
        (
            CANARY,
            Shift(2, 50, "enough"),
            (1, "Shift", "v000003", 50, "enough"),
            {
                "phase": "Canary",
                "step": 2,
                "percent": 50,
                "judgement": CANARY.judgement,
                "evidence": COUNTED.in_new_step(),
            },
        ),
        (
            CANARY,
            Promote("passed", final=False),
            (1, "Bake", "v000003", 100, "passed"),
            {"phase": "Baking", "percent": 100, "step": 1, "champion": "v000002"},
        ),
        (
            replace(BAKING, damage="gone", listing="files"),
            Promote("baked", final=True),
            (1, "Promote", "v000003", 100, "baked"),
            {
                "phase": "Idle",
                "champion": "v000003",
                "previous": "v000002",
                "candidate": "",
                "damage": "",
                "listing": "",
            },
        ),
        (
            CANARY,
            Rollback("it failed", "hooks"),
            (1, "Rollback", "v000003", 0, "it failed"),
            {
                "phase": "RollingBack",
                "percent": 0,
                "steps_back": False,
                "quarantine": {"v000003": "it failed"},
                "causes": {"v000003": "hooks"},
            },
        ),
        (
            BAKING,
            Rollback("it failed"),
            (1, "Rollback", "v000003", 0, "it failed"),
            {"phase": "RollingBack", "steps_back": True, "champion": "v000002", "candidate": "v000003"},
        ),
        (
            replace(BAKING, champion=""),
            Rollback("it failed"),
            (1, "Rollback", "v000003", 0, "it failed"),
            {"phase": "RollingBack", "steps_back": False},
        ),
        (
            BAKING,
            GiveUp("v000004 is asked for"),
            (1, "Withdraw", "v000003", 0, "v000004 is asked for"),
            {"phase": "RollingBack", "steps_back": True, "quarantine": {}},
        ),
        (
            CANARY,
            HoldBack("it differs"),
            (1, "Hold", "v000003", 0, "it differs"),
            {"phase": "RollingBack", "held": Held("v000003", "it differs", AT), "quarantine": {}},
        ),
    ],
)
def test_a_decision_is_noted_with_its_numbers_and_ends_a_pause(
    slot: Slot, step: Step, record: tuple[Any, ...], changes: dict[str, Any]
) -> None:
    edit = Edit(5, ["minReplicas"])
    steered = replace(slot, steering=Steering(paused="ann", paused_at=BEFORE, written=3, edit=edit))
    after = slot_after(steered, step, AT)
    assert said(after) == record
    assert after.transition is not None
    assert (after.transition.evidence, after.transition.cause) == (NUMBERS, getattr(step, "cause", ""))
    assert {name: getattr(after, name) for name in changes} == changes
    assert (after.since, after.seen, after.steering) == (AT, "", Steering(written=5))


def test_a_suspicion_is_judged_anew_and_ends_no_pause() -> None:
    paused = replace(BAKING, steering=Steering(paused="ann", paused_at=BEFORE))
    after = slot_after(paused, Shift(1, 50, "suspected"), AT)
    assert said(after) == (1, "Shift", "v000003", 50, "suspected")
    assert (after.phase, after.step, after.percent, after.judgement) == ("Canary", 1, 50, None)
    assert (after.steering, after.evidence) == (
        paused.steering,
        replace(COUNTED.in_new_step(), suspicions=1),
    )
    in_canary = slot_after(replace(paused, phase="Canary"), Shift(1, 50, "suspected"), AT)
    assert in_canary.evidence == COUNTED.in_new_step()


def test_the_suspicion_begins_anew_with_each_bake() -> None:
    seen = OneSample(requests=9, bad=1)
    suspicious = Judgement(suspicion=seen, refusal_suspicion=seen)
    after = slot_after(replace(CANARY, judgement=suspicious), Promote("passed", final=False), AT)
    assert after.judgement == Judgement()
    first = slot_after(replace(CANARY, judgement=None), Promote("passed", final=False), AT)
    assert first.judgement is None


ROLLING_BACK = replace(BAKING, phase="RollingBack", percent=0, steps_back=True)


@pytest.mark.parametrize(
    ("slot", "step", "changes"),
    [
        (CANARY, NotYet("it waits"), {}),
        (CANARY, TrafficSeen(), {"seen": AT, "evidence": COUNTED.in_new_step()}),
        (ROLLING_BACK, SteppedBack(), {"steps_back": False}),
        (ROLLING_BACK, Restore(), {"attempt": 3, "since": AT}),
        (ROLLING_BACK, Settle(), {"phase": "Idle", "candidate": "", "percent": 100, "since": AT}),
        (
            replace(ROLLING_BACK, champion=""),
            Settle(),
            {"phase": "Idle", "candidate": "", "percent": 0, "since": AT},
        ),
    ],
)
def test_what_decides_nothing_about_a_version_leaves_no_record(
    slot: Slot, step: Step, changes: dict[str, Any]
) -> None:
    assert slot_after(slot, step, AT) == replace(slot, **changes)


def test_decisions_on_a_version_are_numbered_and_those_on_another_begin_anew() -> None:
    once = slot_after(CANARY, Shift(2, 50, "enough"), AT)
    twice = slot_after(once, Rollback("it failed"), AT)
    assert said(twice)[0] == 2
    assert isinstance(twice.transition, Transition)
    settled = slot_after(twice, Settle(), AT)
    assert said(slot_after_reject(settled, "v000004", "poor", AT))[0] == 1
