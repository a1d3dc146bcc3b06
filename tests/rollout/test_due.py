"""What is due is done when it is due, though nothing runs in between."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from knoll.events import PING, TRAINING_SUCCEEDED, new_event
from knoll.laptop.broker.eventing import read_eventing
from knoll.models import RolloutSpec
from knoll.records.rollout import list_steps
from knoll.rollout import handler
from knoll.rollout.due import due_at
from knoll.rollout.follow import FOLLOWED, follow
from knoll.rollout.replay import CALL_TIME, LAST_TIME
from knoll.rollout.slot import Slot
from knoll.rollout.steering import Steering
from knoll.wiring.stages import STAGES
from rollout.world import World, make_world, promote_first, with_policy

EVENTING = Path(__file__).parents[2] / "eventing"
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = RolloutSpec.model_validate({"bake": "60s", "progressDeadline": "100s"})
SLOT = Slot(champion="v000001", candidate="v000002", since=SINCE.isoformat(), seen=SINCE.isoformat())


@pytest.mark.parametrize(
    ("slot", "policy", "seconds"),
    [
        (replace(SLOT, phase="Idle"), POLICY, None),
        (replace(SLOT, phase="Deploying"), POLICY, 100),
        (replace(SLOT, phase="RollingBack"), POLICY, 100),
        (replace(SLOT, phase="RollingBack", steps_back=True), POLICY, 10),
        (replace(SLOT, phase="Baking"), POLICY, 60),
        (replace(SLOT, phase="Baking", seen=""), POLICY, 100),
        (replace(SLOT, phase="Baking", since=""), POLICY, None),
        (replace(SLOT, phase="Baking", steering=Steering(paused="ann")), POLICY, None),
        (replace(SLOT, phase="Canary"), POLICY, 3),
        (replace(SLOT, phase="Canary", seen=""), POLICY, None),
        (replace(SLOT, phase="Canary"), POLICY.model_copy(update={"idle": "hold"}), None),
    ],
)
def test_when_time_alone_moves_a_rollout_on(slot: Slot, policy: RolloutSpec, seconds: int | None) -> None:
    due = due_at(slot, policy, SINCE)
    assert due == (None if seconds is None else SINCE + timedelta(seconds=seconds, milliseconds=1))


def baking(folder: Path, bake: str) -> World:
    """v000002 has just got all traffic."""
    world = make_world(folder)
    promote_first(world)
    document = world.platform.cluster.get("Model", "digits")
    world.platform.cluster.update(with_policy(document, bake=bake))
    world.publish("v000002", 0.96)
    world.time.is_still = True
    world.tell(TRAINING_SUCCEEDED)
    for requests in (20, 40):
        world.observe("v000002", requests)
    assert world.status()["phase"] == "Baking"
    world.time.is_still = False
    return world


def test_a_bake_that_ends_within_seconds_is_waited_for(tmp_path: Path) -> None:
    world = baking(tmp_path, "5s")
    began = world.time.present
    world.tell(TRAINING_SUCCEEDED)
    assert (world.status()["champion"], world.status()["phase"]) == ("v000002", "Idle")
    assert world.time.present - began < timedelta(seconds=6)


def test_a_longer_bake_is_left_to_the_tick(tmp_path: Path) -> None:
    world = baking(tmp_path, "6s")
    began = world.time.present
    world.tell(TRAINING_SUCCEEDED)
    assert (world.status()["phase"], world.time.present) == ("Baking", began)


def test_of_two_calls_in_a_process_one_waits(tmp_path: Path) -> None:
    """Reports come every second: if each waited, none would be left to count them."""
    world = baking(tmp_path, "5s")
    waits: list[float] = []

    def note(seconds: float) -> None:
        waits.append(seconds)
        world.tell(TRAINING_SUCCEEDED)

    world.time.before_wait = note
    world.tell(TRAINING_SUCCEEDED)
    assert len(waits) == 1
    assert world.status()["champion"] == "v000002"


def test_a_tick_waits_for_no_model(tmp_path: Path) -> None:
    world = baking(tmp_path, "5s")
    began = world.time.present
    handler.sweep(new_event(PING, source="/t", time=began), world.platform)
    assert world.time.present == began


def on_a_cluster(world: World) -> None:
    settings = world.platform.settings.model_copy(update={"cluster": "kubernetes"})
    world.platform = replace(world.platform, settings=settings)


def test_the_sweep_of_a_cluster_follows_a_rollout_until_the_next_tick(tmp_path: Path) -> None:
    world = baking(tmp_path, "40s")
    on_a_cluster(world)
    began = world.time.present
    STAGES["sweep"].handle(new_event(PING, source="/t", time=began), world.platform)
    promoted = datetime.fromisoformat(world.status()["rollout"]["transition"]["at"])
    assert world.status()["champion"] == "v000002"
    assert timedelta(seconds=40) <= promoted - began < timedelta(seconds=41)


def test_what_falls_due_while_another_model_is_advanced_is_done_right_after_that(tmp_path: Path) -> None:
    """The broker takes 10 s for an event of digits, whose bake is over first."""
    world = baking(tmp_path, "6s")
    on_a_cluster(world)
    cluster, began = world.platform.cluster, world.time.present
    digits = cluster.get("Model", "digits")
    letters = with_policy({**digits, "metadata": {"name": "letters"}}, bake="8s")
    cluster.create(letters)
    cluster.update({**cluster.get("Model", "letters"), "status": digits["status"]}, status=True)
    handler.advance("letters", began, world.platform)
    world.sink.before = lambda event: world.time.move(10 if event.subject == "digits" else 0)
    follow(began, world.platform)
    promoted = {
        name: datetime.fromisoformat(step.at) - began
        for name in ("digits", "letters")
        for step in list_steps(name, world.platform.bucket, "v000002")
        if step.action == "Promote"
    }
    assert promoted["digits"] < timedelta(seconds=7)
    assert promoted["letters"] < timedelta(seconds=30)


def test_what_is_due_after_the_next_tick_is_left_to_that(tmp_path: Path) -> None:
    world = baking(tmp_path, "70s")
    on_a_cluster(world)
    began = world.time.present
    follow(began, world.platform)
    assert world.status()["phase"] == "Baking"
    assert world.time.present - began <= timedelta(seconds=55)


def test_a_call_ends_before_its_broker_delivers_again_and_a_sweep_before_the_next_tick() -> None:
    eventing = read_eventing(EVENTING)
    timeouts = {one.subscriber: one.delivery.timeout or 0 for one in eventing.triggers}
    assert CALL_TIME.total_seconds() < timeouts["knoll-rollout"]
    assert (FOLLOWED + LAST_TIME).total_seconds() < timeouts["knoll-sweep"]
    (tick,) = eventing.tickers
    assert (tick.schedule, timedelta(minutes=1) > FOLLOWED) == ("* * * * *", True)


def test_at_rest_a_tick_costs_no_time(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    promote_first(world)
    on_a_cluster(world)
    began = world.time.present
    follow(began, world.platform)
    assert world.time.present == began
