"""With `rollout.compare` the answers of both versions to the same requests decide."""

from pathlib import Path

import pytest

from knoll.events import TRAINING_SUCCEEDED
from rollout.test_labelled import said
from rollout.test_labels_decide import waiting
from rollout.world import World, make_world, promote_first, with_policy
from support.keys import private_key


@pytest.fixture
def world(tmp_path: Path) -> World:
    """v000002 is at its last step, and has had enough requests; a fifth of its answers may differ."""
    world = make_world(tmp_path, stamp_key=private_key(3))
    promote_first(world)
    cluster = world.platform.cluster
    cluster.update(with_policy(cluster.get("Model", "digits"), compare=5, steps=[50]))
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    world.observe("v000001", 60)
    world.observe("v000002", 60)
    assert world.served() == ("v000002", 50)
    return world


def compare(world: World, of: str, answers: int, different: int) -> None:
    """A predictor of v000002 has compared so many answers of a version with its own."""
    counts = {"compared": answers, "different": different}
    world.tell("dev.knoll.predictor.labelled", **said(world, of, [], **counts))


def test_a_version_that_answers_otherwise_is_rolled_back(world: World) -> None:
    compare(world, "v000001", 12, 11)
    world.tell(TRAINING_SUCCEEDED)
    why = world.status()["quarantine"]["v000002"]
    assert why.startswith("11 of 12 answers differ from those of v000001 (agreement: E ")


def test_all_traffic_waits_until_answers_have_shown_that_it_agrees(world: World) -> None:
    """As many may differ as the gate lets differ on samples."""
    assert "requests must be answered by both to show that it agrees with v000001" in waiting(world)
    for answers, different in ((20, 1), (40, 2), (80, 4)):
        compare(world, "v000001", answers, different)
    world.tell(TRAINING_SUCCEEDED)
    assert world.status()["phase"] == "Baking"


def test_what_a_version_says_of_itself_or_of_others_is_no_comparison(world: World) -> None:
    for of in ("v000002", "v000009"):
        compare(world, of, 400, 0)
    world.tell(TRAINING_SUCCEEDED)
    assert world.status()["phase"] == "Canary"
