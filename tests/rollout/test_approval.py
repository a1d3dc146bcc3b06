"""With `approval: manual` no version gets traffic before a human approves of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from knoll.events import TRAINING_SUCCEEDED
from knoll.models import RolloutSpec
from knoll.records.rollout import list_steps
from knoll.rollout.moves import slot_after
from knoll.rollout.slot import Slot
from knoll.rollout.steps import HoldBack
from knoll.rollout.wish_answers import granted, why_refused
from knoll.rollout.wishes import new_wish
from rollout.test_steering import ask
from rollout.world import World, fail_canary, make_world, promote_first

MANUAL = {"metric": "accuracy", "atLeast": 0.9, "maxRegression": 0.02, "approval": "manual"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def with_gate(world: World, gate: dict[str, Any]) -> None:
    document = world.platform.cluster.get("Model", "digits")
    world.platform.cluster.update({**document, "spec": {**document["spec"], "gate": gate}})
    world.tell(TRAINING_SUCCEEDED)


@pytest.fixture
def held(world: World) -> World:
    """v000002 waits for approval beside v000001."""
    promote_first(world)
    with_gate(world, MANUAL)
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    return world


def test_a_first_version_waits_before_it_starts(world: World) -> None:
    with_gate(world, MANUAL)
    world.publish("v000001", 0.95)
    for _ in range(3):
        world.tell(TRAINING_SUCCEEDED)
    status = world.status()
    assert (status["phase"], status["held"]["version"]) == ("Idle", "v000001")
    assert status["held"]["reason"] == "the gate is passed, and asks for approval"
    assert not world.platform.cluster.list("InferenceService")
    assert ask(world, "approve", "v000001") == (True, "v000001 approved by ann")
    assert world.served()[0] == "v000001"
    assert world.status()["held"] is None


def test_a_version_waits_beside_the_champion_with_the_numbers_of_the_comparison(held: World) -> None:
    """It has started and answered samples, but no request."""
    assert held.served() == ("v000001", None)
    waits = held.status()["held"]
    assert waits["version"] == "v000002"
    assert waits["reason"].endswith("the gate asks for approval")
    for _ in range(3):
        held.tell(TRAINING_SUCCEEDED)
    assert held.status()["held"] == waits
    ask(held, "approve", "v000002")
    assert held.served() == ("v000002", 20)
    fail_canary(held)
    assert held.served() == ("v000001", None)


def test_a_version_that_waits_can_be_rejected(held: World) -> None:
    wish = ask(held, "reject", "v000002", because="the labels are shifted")
    assert wish == (True, "rejected by ann: the labels are shifted")
    status = held.status()
    assert status["quarantine"] == {"v000002": "rejected by ann: the labels are shifted"}
    assert (status["held"], held.served()) == (None, ("v000001", None))
    assert ask(held, "approve", "v000002")[0] is False
    assert ask(held, "reject", "v000001", because="no") == (
        False,
        "v000001 serves; knoll rollout undo brings the version before it back",
    )


@pytest.mark.parametrize(
    ("because", "told"), [("", "rejected by ann"), ("it is rude", "rejected by ann: it is rude")]
)
def test_a_version_that_waits_can_be_rejected_while_its_pods_still_end(because: str, told: str) -> None:
    at = "2026-01-01T00:00:00+00:00"
    trial = Slot(champion="v000001", candidate="v000002", phase="Deploying")
    waits = slot_after(trial, HoldBack("the gate asks for approval"), at)
    assert (waits.phase, waits.held is None) == ("RollingBack", False)
    wish = new_wish("reject", "v000002", "ann", at, because=because)
    assert why_refused(wish, waits) == ""
    after = granted(waits, wish, RolloutSpec(), at)
    assert (after.phase, after.candidate, after.held) == ("RollingBack", "v000002", None)
    assert after.quarantine == {"v000002": told}
    assert why_refused(replace(wish, version="v000003"), waits) == "v000002 is being rolled back"


def test_a_version_on_trial_can_be_rejected_and_no_other_one_meanwhile(held: World) -> None:
    ask(held, "approve", "v000002")
    held.publish("v000003", 0.96)
    assert ask(held, "reject", "v000003", because="old data") == (False, "v000002 is on trial")
    assert ask(held, "reject", "v000002", because="it is rude")[0]
    assert held.status()["quarantine"]["v000002"] == "rejected by ann: it is rude"
    held.tell(TRAINING_SUCCEEDED)
    assert held.status()["held"]["version"] == "v000003"


def test_a_gate_that_no_longer_asks_lets_the_version_go_on(held: World) -> None:
    with_gate(held, {**MANUAL, "approval": "agreement"})
    assert held.served() == ("v000002", 20)


def test_a_first_version_goes_on_when_the_gate_no_longer_asks(world: World) -> None:
    with_gate(world, MANUAL)
    world.publish("v000001", 0.95)
    world.tell(TRAINING_SUCCEEDED)
    with_gate(world, {**MANUAL, "approval": "agreement"})
    assert world.served()[0] == "v000001"


def test_whoever_undoes_approves(held: World) -> None:
    """And a version that served before needs no approval."""
    ask(held, "approve", "v000002")
    ask(held, "promote", "v000002", is_full=True)
    held.time.move(1000)
    held.tell(TRAINING_SUCCEEDED)
    assert held.status()["champion"] == "v000002"
    assert ask(held, "undo")[0]
    assert held.status()["held"] is None
    assert held.served() == ("v000001", 20)


def test_each_number_of_the_gate_is_recorded(held: World) -> None:
    """With its bounds: those of a version that passes, and those of one that does not."""
    with_gate(held, {**MANUAL, "atLeast": 0.97, "also": [{"metric": "macro_f1", "atLeast": 0.5}]})
    held.publish("v000003", 0.96)
    held.tell(TRAINING_SUCCEEDED)
    steps = {(one.version, one.action): one for one in list_steps("digits", held.platform.bucket)}
    passed = {"accuracy": {"value": 0.96, "champion": 0.95, "atLeast": 0.9, "maxRegression": 0.02}}
    assert steps["v000002", "Start"].gate == passed
    refused = steps["v000003", "Reject"]
    assert refused.gate["accuracy"]["fault"] == "accuracy is 0.96, the gate asks for at least 0.97"
    missing = "the gate asks for the metric macro_f1, and the version has accuracy"
    assert refused.gate["macro_f1"] == {"atLeast": 0.5, "fault": missing}
    assert refused.reason == f"accuracy is 0.96, the gate asks for at least 0.97; {missing}"
