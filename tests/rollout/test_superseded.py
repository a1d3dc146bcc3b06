"""A trial ends early if data and config ask for another version that is there."""

from pathlib import Path

import pytest

from knoll.events import TRAINING_SUCCEEDED
from rollout.test_steering import ask
from rollout.world import World, make_world, promote_first


@pytest.fixture
def canary(tmp_path: Path) -> World:
    """v000002 has its first 20 % beside v000001."""
    world = make_world(tmp_path)
    promote_first(world)
    land(world, "v000002")
    world.publish("v000002", 0.96, data="other")
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000002", 20)
    return world


def land(world: World, run: str) -> None:
    """The data asks for the run, which has the name of its version."""
    document = world.platform.cluster.get("Model", "digits")
    status = {**(document.get("status") or {}), "dataset": {"state": "Landed", "run": run}}
    world.platform.cluster.update({**document, "status": status}, status=True)
    world.tell(TRAINING_SUCCEEDED)


def test_the_newest_version_that_is_asked_for_takes_over(canary: World) -> None:
    """As soon as it is there. The one that gives way is not refused."""
    land(canary, "v000003")
    assert canary.served() == ("v000002", 20)
    canary.publish("v000003", 0.97)
    canary.tell(TRAINING_SUCCEEDED)
    canary.tell(TRAINING_SUCCEEDED)
    assert canary.served() == ("v000003", 20)
    assert "2 Withdraw 0" in canary.records()
    assert canary.status()["quarantine"] == {}


@pytest.mark.parametrize("is_full", [False, True], ids=["in the canary", "in the bake"])
def test_a_trial_ends_when_the_data_of_the_champion_returns(canary: World, is_full: bool) -> None:
    if is_full:
        ask(canary, "promote", "v000002", is_full=True)
    land(canary, "v000001")
    canary.tell(TRAINING_SUCCEEDED)
    assert (canary.served(), canary.status()["phase"]) == (("v000001", None), "Idle")
    assert "data and config ask for v000001 since then" in " ".join(canary.reasons())
    canary.time.move(1000)
    canary.tell(TRAINING_SUCCEEDED)
    assert canary.status()["champion"] == "v000001"


def test_a_trial_goes_on_if_what_is_asked_for_is_refused_or_was_asked_for_before(canary: World) -> None:
    canary.publish("v000003", 0.5)
    land(canary, "v000002")
    assert canary.served() == ("v000002", 20)
    canary.observe("v000002", 20)
    assert canary.served() == ("v000002", 50)


def test_a_paused_trial_stays(canary: World) -> None:
    ask(canary, "pause", "v000002")
    land(canary, "v000001")
    assert canary.served() == ("v000002", 20)
    ask(canary, "resume", "v000002")
    canary.tell(TRAINING_SUCCEEDED)
    assert canary.served() == ("v000001", None)


def test_a_version_that_a_human_brings_back_is_tried_whatever_the_data_asked_for(canary: World) -> None:
    ask(canary, "promote", "v000002", is_full=True)
    canary.time.move(1000)
    canary.tell(TRAINING_SUCCEEDED)
    assert canary.status()["champion"] == "v000002"
    ask(canary, "undo")
    canary.tell(TRAINING_SUCCEEDED)
    assert canary.served() == ("v000001", 20)
