"""What a candidate refuses is no evidence for it, and is held against it if the champion refuses less."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from knoll.errors import InvalidEvent
from knoll.events import PREDICTOR_OBSERVED, TRAINING_SUCCEEDED, new_event
from knoll.rollout.reports import read_report
from rollout.world import World, make_world, promote_first

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """The champion has refused some requests in its life, and v000002 is on trial."""
    world = make_world(tmp_path)
    promote_first(world)
    world.observe("v000001", 1000, refused=400)
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    return world


def test_a_version_that_refuses_what_the_champion_answers_is_rolled_back(world: World) -> None:
    world.observe("v000001", 1100, refused=402)
    world.observe("v000002", 30, refused=28)
    reason = world.status()["quarantine"]["v000002"]
    assert reason.startswith("it refused 28 of 30 requests, and 2 of 100 to v000001 (refusals: E ")
    assert world.records()[-1] == "2 Rollback 0"
    assert world.served() == ("v000001", 0)


def test_nonsense_that_both_refuse_alike_neither_helps_nor_harms(world: World) -> None:
    world.observe("v000001", 1100, refused=480)
    world.observe("v000002", 30, refused=24)
    assert world.served() == ("v000002", 20)
    assert world.status()["rollout"]["evidence"]["inStep"] == 6
    world.observe("v000002", 44, refused=24)
    assert world.served() == ("v000002", 50)
    assert "20 requests at 20 %, 0 failed in all, 24 refused beside them" in world.reasons()


def test_refused_requests_do_not_hide_failed_ones(world: World) -> None:
    world.observe("v000001", 2000, refused=1200)
    world.observe("v000002", 200, errors=6, refused=160)
    assert "6 of 40 requests failed" in world.status()["quarantine"]["v000002"]


def test_a_champion_that_does_not_tell_what_it_refused_is_not_compared(world: World) -> None:
    """The predictors of knoll 0.2 do not."""
    old = {"version": "v000001", "instance": "old", "requests": 5000, "errors": 0}
    world.tell(PREDICTOR_OBSERVED, **old)
    world.observe("v000002", 30, refused=25)
    assert world.served() == ("v000002", 20)


def test_a_first_version_has_nobody_to_be_compared_with(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    world.publish("v000001", 0.95)
    world.tell(TRAINING_SUCCEEDED)
    world.observe("v000001", 30, refused=30)
    assert (world.status()["phase"], world.status()["rollout"]["evidence"]["inStep"]) == ("Canary", 0)


@pytest.mark.parametrize("refused", [-1, 8, "2", True, 2.0, [], {}])
def test_a_report_that_refuses_more_than_it_counts_is_no_report(refused: object) -> None:
    data = {"version": "v000001", "instance": "a", "requests": 10, "errors": 3, "refused": refused}
    with pytest.raises(InvalidEvent):
        read_report("digits", new_event(PREDICTOR_OBSERVED, source="/test", time=NOW, data=data))


def test_a_report_may_say_nothing_of_refused_requests() -> None:
    data = {"version": "v000001", "instance": "a", "requests": 10, "errors": 3}
    event = new_event(PREDICTOR_OBSERVED, source="/test", time=NOW, data=data)
    assert read_report("digits", event).refused is None
