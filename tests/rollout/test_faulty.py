"""A Model gets a fault while a version is on trial: the champion gets the traffic, and nothing begins."""

from dataclasses import replace
from pathlib import Path

import pytest

from knoll.events import TRAINING_SUCCEEDED
from knoll.views.models import find_model
from rollout.test_step_back import Serving
from rollout.world import MODEL, Replays, make_world, promote_first

GATE = MODEL["spec"]["gate"]


def serving(folder: Path) -> Serving:
    made = make_world(folder)
    return Serving(replace(made.platform, predictors=Replays("v000002")), made.time, made.sink)


@pytest.fixture
def world(tmp_path: Path) -> Serving:
    """v000001 is the champion, and v000002 is there."""
    world = serving(tmp_path)
    promote_first(world)
    world.publish("v000002", 0.96)
    return world


def declare(world: Serving, *, is_faulty: bool) -> None:
    """Somebody declares the gate: it bounds a metric twice, which the CRD lets pass, or once."""
    document = world.platform.cluster.get("Model", "digits")
    twice = {"also": [{"metric": GATE["metric"]}]} if is_faulty else {}
    world.platform.cluster.update({**document, "spec": {**document["spec"], "gate": {**GATE, **twice}}})


@pytest.mark.parametrize("phase", ["Deploying", "Canary", "Baking"])
def test_a_trial_gives_its_traffic_back_and_is_repeated_without_the_fault(world: Serving, phase: str) -> None:
    world.passes = 0 if phase == "Deploying" else 2
    world.tell(TRAINING_SUCCEEDED)
    for requests in (20, 40) if phase == "Baking" else ():
        world.observe("v000002", requests)
    assert world.status()["phase"] == phase
    declare(world, is_faulty=True)
    world.passes = 2
    world.tell(TRAINING_SUCCEEDED)
    assert (world.served(), world.answering()) == (("v000002", 0), ["v000001"])
    assert (world.status()["phase"], world.status()["quarantine"]) == ("RollingBack", {})
    assert world.records()[-1] == "2 Withdraw 0"
    assert "the bounds of accuracy are given twice" in world.reasons()[-1]
    before = world.platform.cluster.get("Model", "digits")
    world.time.move(1000)
    world.tell(TRAINING_SUCCEEDED)
    assert world.platform.cluster.get("Model", "digits") == before

    declare(world, is_faulty=False)
    world.tell(TRAINING_SUCCEEDED)
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000002", 20)
    assert {*world.answering()} == {"v000001", "v000002"}


def test_nothing_begins_while_a_model_has_a_fault(world: Serving) -> None:
    declare(world, is_faulty=True)
    world.tell(TRAINING_SUCCEEDED)
    assert (world.served(), world.status()["phase"]) == (("v000001", None), "Idle")


def test_a_first_version_serves_on(tmp_path: Path) -> None:
    world = serving(tmp_path)
    world.publish("v000001", 0.95)
    world.tell(TRAINING_SUCCEEDED)
    declare(world, is_faulty=True)
    world.tell(TRAINING_SUCCEEDED)
    assert (world.answering(), world.status()["phase"]) == (["v000001"], "Canary")
    assert "v000001, its first version, serves" in find_model(world.platform, "digits").conditions[0].message


def test_a_rollback_that_was_killed_goes_on(world: Serving) -> None:
    """The slot says that the champion gets the traffic, and the InferenceService does not yet."""
    world.tell(TRAINING_SUCCEEDED)
    document = world.platform.cluster.get("Model", "digits")
    status = {**document["status"], "phase": "RollingBack"}
    world.platform.cluster.update({**document, "status": status}, status=True)
    declare(world, is_faulty=True)
    world.tell(TRAINING_SUCCEEDED)
    assert (world.served(), world.answering()) == (("v000002", 0), ["v000001"])
    assert "v000001 has all traffic" in find_model(world.platform, "digits").conditions[0].message
