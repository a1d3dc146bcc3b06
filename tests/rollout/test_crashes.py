"""A predictor that crashes reports nothing, and counts all the same."""

from pathlib import Path
from typing import Any

import pytest

from knoll.events import TICK, TRAINING_SUCCEEDED, new_event
from knoll.kube.kinds import PREDICTOR_CONTAINER
from knoll.kube.labels import VERSION_LABEL, part_labels
from knoll.records.evidence import find_reports
from knoll.rollout import handler
from knoll.rollout.observed import crashes
from rollout.world import World, make_world, promote_first


@pytest.fixture
def world(tmp_path: Path) -> World:
    """v000002 is on trial beside v000001, which answers."""
    world = make_world(tmp_path)
    promote_first(world)
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    world.observe("v000001", 100)
    assert world.served() == ("v000002", 20)
    return world


def status(restarts: int, code: int = 139, *, is_running: bool = True) -> dict[str, Any]:
    """The status of a Pod whose predictor ended with that code, as the kubelet writes it."""
    end = {"terminated": {"exitCode": code}}
    states = {"state": {"running": {}}, "lastState": end} if is_running else {"state": end}
    return {"containerStatuses": [{"name": PREDICTOR_CONTAINER, "restartCount": restarts, **states}]}


def show_pod(world: World, name: str, version: str, restarts: int, code: int = 139) -> None:
    """A Pod of a version tells so many restarts."""
    cluster = world.platform.cluster
    labels = {**part_labels("digits"), VERSION_LABEL: version}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}}
    cluster.update({**cluster.create(pod), "status": status(restarts, code)}, status=True)


def look(world: World) -> None:
    handler.sweep(new_event(TICK, source="/test", time=world.time.now()), world.platform)
    world.kserve()


def test_a_version_that_crashes_at_every_request_is_rolled_back(world: World) -> None:
    """Though it reports nothing: its process ends before it could."""
    show_pod(world, "a", "v000002", 14)
    show_pod(world, "b", "v000002", 16)
    look(world)
    assert world.status()["phase"] in ("RollingBack", "Idle")


def test_crashes_count_once_and_stay_when_the_pod_is_gone(world: World) -> None:
    show_pod(world, "a", "v000002", 1)
    look(world)
    look(world)
    world.platform.cluster.delete("Pod", "a")
    look(world)
    (kept,) = find_reports("digits", "v000002", world.platform.bucket).values()
    assert (kept.requests, kept.errors) == (1, 1)
    assert world.status()["phase"] == "Canary"


def test_crashes_of_the_champion_count_in_the_same_way(world: World) -> None:
    show_pod(world, "a", "v000001", 2)
    look(world)
    kept = find_reports("digits", "v000001", world.platform.bucket)
    assert sorted((one.requests, one.errors) for one in kept.values()) == [(2, 2), (100, 0)]


@pytest.mark.parametrize(
    ("told", "number"),
    [
        (status(3), 3),
        (status(3, is_running=False), 4),
        (status(3, 0), 0),  # it ended well
        (status(3, 75), 0),  # the store did not answer
        (status(3, 143), 0),  # the node went away
        (status(3, 65), 0),  # it refuses to serve what it was given
        ({"containerStatuses": [{"name": "queue-proxy", "restartCount": 3}]}, 0),
        ({}, 0),
    ],
)
def test_what_a_pod_tells_of_crashes(told: dict[str, Any], number: int) -> None:
    assert crashes({"status": told}) == number
