"""Labels that users send: with `rollout.labels` a quick version that answers 200 and is wrong goes back."""

from pathlib import Path

import pytest

from knoll.events import TRAINING_SUCCEEDED
from knoll.models import parse_model
from knoll.records.labels import Window, find_labels
from knoll.rollout.slot import slot_from_status
from knoll.rollout.weighed import missing
from rollout.test_labelled import said
from rollout.world import World, make_world, promote_first, with_policy
from support.keys import private_key


@pytest.fixture
def world(tmp_path: Path) -> World:
    """v000002 is on trial at its last step, since a minute; true labels decide."""
    world = make_world(tmp_path, stamp_key=private_key(3))
    promote_first(world)
    cluster = world.platform.cluster
    cluster.update(with_policy(cluster.get("Model", "digits"), labels=True, steps=[50]))
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000002", 50)
    world.time.move(60)
    return world


def waiting(world: World) -> str:
    slot = slot_from_status(world.status())
    return missing(slot, parse_model(world.platform.cluster.get("Model", "digits")).rollout)[1]


def label(world: World, version: str, right: int, wrong: int, minutes: int = 0) -> None:
    """So many labels for answers of now, or of so many minutes before."""
    now = int(world.time.now().timestamp())
    window: Window = (now - now % 60 - 60 * minutes, right, wrong)
    world.tell("dev.knoll.predictor.labelled", **said(world, version, [window], instance=version))


def test_a_version_that_is_more_often_wrong_than_the_champion_is_rolled_back(world: World) -> None:
    """All its requests were answered, and quickly."""
    world.observe("v000002", 500)
    label(world, "v000001", 58, 2)
    label(world, "v000002", 2, 28)
    world.tell(TRAINING_SUCCEEDED)
    assert world.status()["quarantine"]["v000002"].startswith(
        "28 of 30 labelled answers were wrong, and 2 of 60 to v000001 (labels: E "
    )


def test_all_traffic_waits_for_labels_that_show_that_it_is_no_worse(world: World) -> None:
    world.observe("v000001", 500)
    world.observe("v000002", 500)
    assert world.served() == ("v000002", 50)
    assert "more labels must show that it is wrong hardly more often than v000001" in waiting(world)
    label(world, "v000001", 400, 4)
    label(world, "v000002", 400, 4)
    world.tell(TRAINING_SUCCEEDED)
    assert world.status()["phase"] == "Baking"


def test_answers_from_before_the_trial_are_no_evidence(world: World) -> None:
    """The champion had other requests then; a label that comes late counts by the time of its answer."""
    world.observe("v000002", 500)
    label(world, "v000001", 0, 500, minutes=30)
    label(world, "v000002", 0, 30)
    assert world.status()["phase"] == "Canary"
    assert world.status()["rollout"]["judgement"]["quality"]["judged"] == 0


def test_labels_that_come_in_the_bake_still_roll_back(world: World) -> None:
    """Those of answers from before it: the champion answers nothing any more."""
    world.observe("v000001", 500)
    world.observe("v000002", 500)
    label(world, "v000001", 400, 4)
    label(world, "v000002", 400, 4)
    world.tell(TRAINING_SUCCEEDED)
    assert world.status()["phase"] == "Baking"
    label(world, "v000001", 460, 4)
    label(world, "v000002", 400, 260)
    assert "260 of 660 labelled answers were wrong" in world.status()["quarantine"]["v000002"]


def test_without_the_policy_labels_decide_nothing(tmp_path: Path) -> None:
    """Whoever may ask may send labels, so it must be asked for."""
    world = make_world(tmp_path, stamp_key=private_key(3))
    promote_first(world)
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    world.time.move(60)
    label(world, "v000001", 500, 0)
    label(world, "v000002", 0, 500)
    assert world.status()["phase"] == "Canary"


def test_pairs_of_answers_to_the_same_request_decide_where_answers_are_compared(tmp_path: Path) -> None:
    """By few of them: 14 of 30 answers of one sample, and of another one, would say nothing yet."""
    world = make_world(tmp_path, stamp_key=private_key(3))
    promote_first(world)
    cluster = world.platform.cluster
    changes = {"labels": True, "compare": 5, "steps": [50]}
    cluster.update(with_policy(cluster.get("Model", "digits"), **changes))
    gate = {"gate": {"metric": "accuracy", "atLeast": 0.9, "minAgreement": 0}}
    document = cluster.get("Model", "digits")
    cluster.update({**document, "spec": {**document["spec"], **gate}})
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    world.time.move(60)
    counts = {"compared": 60, "different": 30, "pairs": [60, 28, 2]}
    world.tell("dev.knoll.predictor.labelled", **said(world, "v000001", [], **counts))
    world.tell(TRAINING_SUCCEEDED)
    assert world.status()["quarantine"]["v000002"].startswith(
        "of 60 labelled requests that both answered, only v000001 was right on 28, only it on 2; "
    )


@pytest.mark.parametrize("pairs", [[1, 2, 0], [2, 1, -1], [3, 1.0, 1], [2**31, 0, 0], [1, 0]])
def test_pairs_that_are_no_counts_are_not_believed(world: World, pairs: list[float]) -> None:
    data = said(world, "v000001", []) | {"pairs": pairs}
    world.tell("dev.knoll.predictor.labelled", **data)
    assert find_labels("digits", "v000001", world.platform.bucket) == {}
    assert world.status()["disbelievedReports"]
