"""Data, or a config, that returns brings its version back, without a second training."""

import pytest

from schedules.checks import wrong_at_the_end
from schedules.declared import model_document
from schedules.world import World


def _settled(world: World) -> str:
    world.settle(deaf=False)
    assert wrong_at_the_end(world) == []
    champion: str = world.cluster.get("Model", "digits")["status"]["champion"]
    return champion


def _upload(world: World, body: bytes) -> str:
    world.advance(5)
    world.write("digits", "0", body)
    world.mark("digits")
    return _settled(world)


@pytest.mark.parametrize("gate", ["marker", "manifest", "quiet"])
def test_data_that_returns_serves_again_by_its_version(gate: str) -> None:
    world = World({"digits": model_document("digits", gate)})
    assert [_upload(world, body) for body in (b"good-0", b"good-1", b"good-0")] == [
        "v000001",
        "v000002",
        "v000001",
    ]
    assert _upload(world, b"good-1") == "v000002"
    assert _upload(world, b"good-2") == "v000003"
    assert _upload(world, b"good-0") == "v000001"
    assert _upload(world, b"unreadable-3") == "v000001", "nothing newer is of this data"


def test_wrong_labels_are_held_and_the_right_data_serves_on() -> None:
    """Also if it is new data, and if the wrong data comes twice."""
    world = World({"digits": model_document("digits")})
    assert _upload(world, b"good-0") == "v000001"
    for _ in range(2):
        assert _upload(world, b"shifted-1") == "v000001"
        assert _held(world) == "v000002"
        assert _upload(world, b"good-0") == "v000001"
        assert _held(world) == ""
    assert _upload(world, b"good-2") == "v000003"


def _held(world: World) -> str:
    held = world.cluster.get("Model", "digits")["status"]["held"]
    return held["version"] if held else ""


def test_a_config_that_returns_serves_again_by_its_version() -> None:
    world = World({"digits": model_document("digits")})
    assert _upload(world, b"good-0") == "v000001"
    world.declare("digits", 7)
    assert _settled(world) == "v000002"
    world.declare("digits", 1)
    assert _settled(world) in ("v000001", "v000003")
    served = _settled(world)
    world.declare("digits", 7)
    assert _settled(world) == "v000002"
    world.declare("digits", 1)
    assert _settled(world) == served
