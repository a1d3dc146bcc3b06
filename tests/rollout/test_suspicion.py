"""A version that goes wrong in its bake shares the traffic again, is judged beside the champion, and goes."""

from pathlib import Path

import pytest

from knoll.events import TRAINING_SUCCEEDED
from rollout.test_steering import ask
from rollout.world import World, make_world, promote_first, with_policy


@pytest.fixture
def baking(tmp_path: Path) -> World:
    """v000002 has all traffic, after v000001 has answered 2,000 requests."""
    return bake(make_world(tmp_path))


def bake(world: World) -> World:
    promote_first(world)
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    world.observe("v000001", 2000)
    for count in (20, 40):
        world.observe("v000002", count)
    assert world.status()["phase"] == "Baking"
    return world


def test_a_version_that_fails_in_its_bake_is_rolled_back_beside_the_champion(baking: World) -> None:
    baking.observe("v000002", 80, errors=20)
    assert (baking.served(), baking.status()["phase"]) == (("v000002", 50), "Canary")
    assert "20 of 40 requests failed at 100 %" in baking.reasons()[-1]
    baking.observe("v000001", 2100)
    baking.observe("v000002", 180, errors=70)
    baking.tell(TRAINING_SUCCEEDED)
    assert (baking.served(), [*baking.status()["quarantine"]]) == (("v000001", None), ["v000002"])


def test_a_version_that_refuses_its_users_in_the_bake_shares_the_traffic_again(baking: World) -> None:
    """And is rolled back, if the champion does not refuse them."""
    baking.observe("v000002", 100, refused=50)
    assert (baking.served(), baking.status()["phase"]) == (("v000002", 50), "Canary")
    assert "50 of 60 requests were refused at 100 %" in baking.reasons()[-1]
    baking.observe("v000001", 2200)
    baking.observe("v000002", 300, refused=240)
    baking.tell(TRAINING_SUCCEEDED)
    assert (baking.served(), [*baking.status()["quarantine"]]) == (("v000001", None), ["v000002"])


def test_clients_that_every_version_refuses_roll_nothing_back(baking: World) -> None:
    baking.observe("v000002", 100, refused=50)
    told = {"instance": "pod-v000001", "requests": 2200, "errors": 0, "refused": 150}
    baking.tell("dev.knoll.predictor.observed", version="v000001", **told)
    baking.observe("v000002", 300, refused=200)
    assert (baking.status()["candidate"], baking.status()["quarantine"]) == ("v000002", {})


def test_a_version_that_fails_only_with_all_traffic_is_rolled_back_in_its_third_bake(baking: World) -> None:
    """Beside the champion it looks well each time."""
    requests, errors = 40, 0
    for _ in range(2):
        requests, errors = requests + 40, errors + 20
        baking.observe("v000002", requests, errors=errors)
        assert baking.served() == ("v000002", 50)
        requests += 20
        baking.observe("v000002", requests, errors=errors)
        assert baking.status()["phase"] == "Baking"
    baking.observe("v000002", requests + 40, errors=errors + 20)
    assert "it has failed so 2 times before" in baking.status()["quarantine"]["v000002"]
    baking.tell(TRAINING_SUCCEEDED)
    assert baking.served() == ("v000001", None)


def test_a_suspicion_ends_no_pause(baking: World) -> None:
    ask(baking, "pause", "v000002")
    baking.observe("v000002", 80, errors=20)
    assert (baking.served(), baking.status()["steering"]["paused"]) == (("v000002", 50), "ann")


def test_with_one_version_at_a_time_refusals_wait_for_a_human(tmp_path: Path) -> None:
    """Else clients could roll a version back."""
    world = make_world(tmp_path)
    document = world.platform.cluster.get("Model", "digits")
    policy = {"strategy": "resource", "steps": [], "minRequests": 20}
    world.platform.cluster.update(with_policy(document, **policy))
    promote_first(world)
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    world.observe("v000002", 500, refused=450)
    assert world.served()[0] == "v000002"
    world.time.move(10_000)
    world.observe("v000002", 600, refused=500)
    assert (world.status()["champion"], world.status()["quarantine"]) == ("v000001", {})


def test_a_step_whose_requests_are_all_refused_is_not_idle(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    document = world.platform.cluster.get("Model", "digits")
    world.platform.cluster.update(with_policy(document, idle="promote"))
    promote_first(world)
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    world.observe("v000002", 2, refused=2)
    world.time.move(90)
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000002", 20)
