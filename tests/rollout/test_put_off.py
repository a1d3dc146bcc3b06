"""A version that has proven nothing never gets all traffic, because its champion has gone; with a real
document store."""

from pathlib import Path

import pytest

from knoll.events import TRAINING_SUCCEEDED, object_changed
from knoll.rollout import handler
from rollout.world import World, make_world, promote_canary, promote_first


@pytest.fixture
def world(tmp_path: Path) -> World:
    found = make_world(tmp_path)
    promote_first(found)
    found.publish("v000002", 0.96)
    return found


def begin(world: World, *, is_ready: bool) -> None:
    """Begin the trial of v000002, which gets its first 20 % when it is ready."""
    world.passes = 2 if is_ready else 0
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000002", 20 if is_ready else 0)


def wake(world: World) -> None:
    """A pass of rollout, and none of KServe."""
    document = world.platform.cluster.get("Model", "digits")
    metadata = {**document["metadata"], "labels": {}}
    written = world.platform.cluster.update({**document, "metadata": metadata})
    handler.handle(object_changed(written, source="/test", time=world.time.now()), world.platform)
    world.passes = 0
    world.tell(TRAINING_SUCCEEDED)


@pytest.mark.parametrize("is_ready", [False, True])
def test_a_trial_is_put_off_if_its_inference_service_is_deleted(world: World, is_ready: bool) -> None:
    """The champion comes back alone. When it serves, the version is tried again."""
    begin(world, is_ready=is_ready)
    world.platform.cluster.delete("InferenceService", "digits")
    wake(world)
    assert (world.served(), world.status()["phase"]) == (("v000001", None), "Idle")
    reason = "v000001 has no traffic to share any more, nothing has it; v000002 is tried later"
    assert world.reasons()[-1] == reason
    assert world.sink.taken[-1].type == "dev.knoll.rollout.held"
    assert "v000002" not in world.status()["quarantine"]
    world.time.move(1000)
    wake(world)
    assert world.served() == ("v000001", None), "it is not ready yet"
    world.passes = 3
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000002", 20)
    promote_canary(world)


def test_so_is_one_whose_service_somebody_has_created_again(world: World) -> None:
    """As from a backup: the champion's Revisions are gone."""
    begin(world, is_ready=False)
    service = world.service()
    assert service is not None
    world.platform.cluster.delete("InferenceService", "digits")
    kept = ("name", "labels", "annotations", "ownerReferences")
    metadata = {name: service["metadata"][name] for name in kept}
    spec = {"kind": "InferenceService", "apiVersion": service["apiVersion"], "spec": service["spec"]}
    world.platform.cluster.create({**spec, "metadata": metadata})
    wake(world)
    assert (world.served(), world.status()["phase"]) == (("v000001", None), "Idle")


def test_a_version_that_was_given_all_traffic_by_hand_shares_it_when_its_rollout_is_resumed(
    world: World,
) -> None:
    """KServe knows the version before it still, and steps back to that."""
    begin(world, is_ready=True)
    service = world.service()
    assert service is not None
    spec = {"predictor": {**service["spec"]["predictor"], "canaryTrafficPercent": 100}}
    world.platform.cluster.update({**service, "spec": spec})
    world.tell(TRAINING_SUCCEEDED)
    assert (world.served(), world.status()["phase"]) == (("v000002", 100), "Canary")
    document = world.platform.cluster.get("Model", "digits")
    annotations = {"knoll.dev/rollout-wish": '{"id": "1", "verb": "resume", "by": "ann"}'}
    metadata = {**document["metadata"], "annotations": annotations}
    world.platform.cluster.update({**document, "metadata": metadata})
    world.passes = 0
    world.tell(TRAINING_SUCCEEDED)
    assert (world.served(), world.status()["phase"]) == (("v000002", 20), "Canary")


def test_a_version_that_had_served_before_takes_over_from_one_that_is_gone(world: World) -> None:
    """That is what a human does who finds that the champion does not come back."""
    begin(world, is_ready=True)
    promote_canary(world)
    world.platform.cluster.delete("InferenceService", "digits")
    wake(world)
    world.time.move(1000)
    document = world.platform.cluster.get("Model", "digits")
    annotations = {"knoll.dev/rollout-wish": '{"id": "1", "verb": "undo", "version": "v000001", "by": "ann"}'}
    metadata = {**document["metadata"], "annotations": annotations}
    world.platform.cluster.update({**document, "metadata": metadata})
    wake(world)
    assert (world.served(), world.status()["phase"]) == (("v000001", 0), "Deploying")
