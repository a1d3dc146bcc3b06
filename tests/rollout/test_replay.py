"""Replay in parts: bounded in requests and in time, and nothing counts twice."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from knoll.events import ROLLOUT_CONTINUED, TRAINING_SUCCEEDED, Event
from knoll.models import parse_model
from knoll.ports import PredictAnswer, PredictRequest
from knoll.rollout import handler
from knoll.rollout.observed import Observed
from knoll.rollout.replay import ANSWER_TIME, CALL_TIME, REPLAY_SAMPLES, REPLAY_TIME, replay_part
from knoll.rollout.slot import slot_from_status
from knoll.rollout.steps import Replay
from rollout.slow import Killed, Slow, live_through
from rollout.world import Replays, World, make_world, promote_first, with_policy

TAGGED = Observed(is_ready=True, tagged_url="http://tagged/v000002")


def make_trial(folder: Path, **policy: object) -> tuple[World, Slow]:
    """A world in which v000002 is on trial, and gets no requests but replays."""
    folder.mkdir(exist_ok=True)
    world = make_world(folder)
    world.time.is_still = True
    promote_first(world)
    cluster = world.platform.cluster
    cluster.update(with_policy(cluster.get("Model", "digits"), idle="replay", **policy))
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000002", 20)
    slow = Slow(world=world)
    world.platform = replace(world.platform, predictors=slow)
    world.time.move(3)
    return world, slow


def live_to_the_end(world: World) -> list[float]:
    """Until nothing is on trial; the seconds of each pass."""
    return live_through(world, lambda: world.status()["phase"] == "Idle")


def test_a_slow_predictor_is_replayed_over_several_passes(tmp_path: Path) -> None:
    """Two steps of 20 requests, of which a pass takes four."""
    world, slow = make_trial(tmp_path)
    passes = live_to_the_end(world)
    assert max(passes) == REPLAY_TIME.total_seconds() == 4 * slow.seconds
    assert world.status()["champion"] == "v000002"
    assert (slow.sent, world.status()["rollout"]["evidence"]["replayed"]) == (40, 40)
    assert world.sink.types().count(ROLLOUT_CONTINUED) == 2 * (20 // 4 - 1)


def test_without_events_the_ticks_alone_end_the_replay(tmp_path: Path) -> None:
    world, slow = make_trial(tmp_path)
    world.sink.publish = lambda event: None  # type: ignore[method-assign]
    assert max(live_to_the_end(world)) <= REPLAY_TIME.total_seconds()
    assert (world.status()["champion"], slow.sent) == ("v000002", 40)


def test_a_fast_predictor_gets_a_bounded_part_in_each_pass(tmp_path: Path) -> None:
    world, slow = make_trial(tmp_path, minRequests=2 * REPLAY_SAMPLES + 1)
    slow.seconds = 0.0
    handler.sweep(Event("tick", "/test", "dev.knoll.tick", ""), world.platform)
    assert slow.sent == REPLAY_SAMPLES
    live_to_the_end(world)
    assert (world.status()["champion"], slow.sent) == ("v000002", 2 * (2 * REPLAY_SAMPLES + 1))


def test_two_slow_predictors_hold_up_no_call_until_the_broker_gives_up(tmp_path: Path) -> None:
    """A pair that begins late, and whose second answer does not come in time, is sent again."""
    world, slow = make_trial(tmp_path)
    slow.seconds = slow.beside = 0.5

    def slow_down(number: int) -> None:
        slow.seconds = slow.beside = 19.0 if number in (18, 19) else 0.5

    slow.before = slow_down
    assert max(live_to_the_end(world)) == CALL_TIME.total_seconds()
    assert (world.status()["champion"], slow.sent) == ("v000002", 41)
    evidence = world.status()["rollout"]["evidence"]
    assert (evidence["replays"], evidence["championReplays"]) == ([40, 0], [40, 0])


def test_versions_that_are_as_slow_as_an_answer_may_be_get_on_by_a_pair_a_call(tmp_path: Path) -> None:
    world, slow = make_trial(tmp_path, minRequests=5, progressDeadline="1h")
    slow.seconds = slow.beside = ANSWER_TIME.total_seconds()
    assert max(live_to_the_end(world)) <= CALL_TIME.total_seconds()
    assert (world.status()["champion"], slow.sent) == ("v000002", 10)


@pytest.mark.parametrize("fatal", [0, 1, 3, 4, 19, 20, 39])
def test_a_kill_in_the_middle_counts_nothing_twice(tmp_path: Path, fatal: int) -> None:
    """The requests of the part that was killed are sent again; they are at most a part, and none of them is
    counted."""
    world, slow = make_trial(tmp_path)

    def kill(number: int) -> None:
        if number == fatal:
            raise Killed

    slow.before = kill
    assert max(live_to_the_end(world)) <= REPLAY_TIME.total_seconds()
    assert world.status()["champion"] == "v000002"
    assert world.status()["rollout"]["evidence"]["replayed"] == 40
    assert 40 < slow.sent <= 44


def test_what_others_write_into_the_status_meanwhile_costs_no_request(tmp_path: Path) -> None:
    world, slow = make_trial(tmp_path)
    slow.before = lambda number: change_status(world, dataset={"state": f"{number}"})
    live_to_the_end(world)
    assert (world.status()["champion"], slow.sent) == ("v000002", 40)
    assert world.status()["dataset"]["state"] == "39"


def change_status(world: World, **changes: object) -> None:
    document = world.platform.cluster.get("Model", "digits")
    world.platform.cluster.update({**document, "status": {**document["status"], **changes}}, status=True)


def test_of_two_functions_at_once_one_goes_on(tmp_path: Path) -> None:
    """The one that finds the slot moved by the other counts nothing, and wakes nobody."""
    world, slow = make_trial(tmp_path)
    slow.seconds = 0.0
    document = world.platform.cluster.get("Model", "digits")
    slot = slot_from_status(document["status"])
    until, step = world.time.present + timedelta(seconds=1), Replay(60, may_start=True)
    parts = [
        replay_part(document, parse_model(document), slot, step, TAGGED, until, world.platform)
        for _ in range(2)
    ]
    assert parts == [False, False]
    assert (slow.sent, world.status()["rollout"]["evidence"]["replayed"]) == (100, 50)
    assert world.sink.types().count(ROLLOUT_CONTINUED) == 1


def test_a_sweep_that_has_no_time_left_hands_the_replay_on(tmp_path: Path) -> None:
    world, slow = make_trial(tmp_path)
    document = world.platform.cluster.get("Model", "digits")
    slot = slot_from_status(document["status"])
    now, step = world.time.present, Replay(20, may_start=True)
    assert not replay_part(document, parse_model(document), slot, step, TAGGED, now, world.platform)
    assert slow.sent == 0
    assert world.sink.types()[-1] == ROLLOUT_CONTINUED
    assert world.platform.cluster.get("Model", "digits") == document


def test_a_server_that_starts_slowly_is_asked_again_and_not_blamed(tmp_path: Path) -> None:
    """The first answers would take a minute each: no pass waits for one, and none counts."""
    world, slow = make_trial(tmp_path, progressDeadline="10m")
    slow.seconds = 60.0

    def start(number: int) -> None:
        slow.seconds = 60.0 if number < 3 else 0.0

    slow.before = start
    assert max(live_to_the_end(world)) <= (REPLAY_TIME + ANSWER_TIME).total_seconds()
    assert world.status()["champion"] == "v000002"
    assert world.status()["rollout"]["evidence"]["replayed"] == 40


def test_ticks_to_a_server_that_never_answers_start_no_chains_of_calls(tmp_path: Path) -> None:
    """Otherwise each tick would add a call that wakes itself until the progress deadline."""
    world, slow = make_trial(tmp_path, progressDeadline="1h")
    slow.seconds = 600.0
    ticks = 5
    for _ in range(ticks):
        before = world.sink.types().count(ROLLOUT_CONTINUED)
        handler.sweep(Event("tick", "/test", "dev.knoll.tick", ""), world.platform)
        woken = world.sink.types().count(ROLLOUT_CONTINUED) - before
        assert woken <= 1
        if woken:
            handler.handle(world.sink.taken[-1], world.platform)
    assert slow.sent == ticks
    assert world.sink.types().count(ROLLOUT_CONTINUED) == 0


def test_a_server_that_stops_to_answer_wakes_one_more_call(tmp_path: Path) -> None:
    """What was counted before is written, so that the call which is woken begins after it."""
    world, slow = make_trial(tmp_path, progressDeadline="1h")

    def stop(number: int) -> None:
        slow.seconds = 5.0 if number == 0 else 600.0

    slow.before = stop
    for _ in range(2):
        handler.sweep(Event("tick", "/test", "dev.knoll.tick", ""), world.platform)
    assert world.status()["rollout"]["evidence"]["replayed"] == 1
    assert world.sink.types().count(ROLLOUT_CONTINUED) == 1
    handler.handle(world.sink.taken[-1], world.platform)
    assert world.sink.types().count(ROLLOUT_CONTINUED) == 1


def test_a_server_that_never_answers_is_rolled_back_after_the_progress_deadline(tmp_path: Path) -> None:
    world, slow = make_trial(tmp_path, progressDeadline="2m")
    slow.seconds = 600.0
    assert max(live_to_the_end(world)) <= (REPLAY_TIME + ANSWER_TIME).total_seconds()
    assert world.status()["champion"] == "v000001"
    assert "requests failed" in world.status()["quarantine"]["v000002"]


@dataclass
class Timed(Replays):
    """Each version answers in so many seconds, the first request to v000002 in ten; `bodies` are its
    requests."""

    takes: Mapping[str, float] = field(default_factory=dict)
    bodies: list[bytes] = field(default_factory=list)

    def predict(self, request: PredictRequest) -> PredictAnswer:
        version = request.url.rpartition("/")[2]
        took = self.takes.get(version, 0.01)
        if version == "v000002":
            took = took if self.bodies else 10.0
            self.bodies.append(request.body)
        return replace(super().predict(request), seconds=took)


def replay_all(folder: Path, timed: Timed, requests: int) -> World:
    world, _ = make_trial(folder, minRequests=requests)
    world.platform = replace(world.platform, predictors=timed)
    live_to_the_end(world)
    return world


def test_a_version_that_answers_replays_more_slowly_is_rolled_back(tmp_path: Path) -> None:
    world = replay_all(tmp_path, Timed(takes={"v000002": 0.02}), 200)
    assert world.status()["quarantine"]["v000002"].startswith(
        "147 of 147 replays took longer than 10.7 ms, and 0 of 147 to v000001 (latencyP95: E "
    )


def test_one_that_is_as_fast_is_promoted_though_its_first_answer_was_cold(tmp_path: Path) -> None:
    assert replay_all(tmp_path, Timed(), 200).status()["champion"] == "v000002"


def test_each_sample_is_replayed_before_one_comes_again(tmp_path: Path) -> None:
    timed = Timed()
    world, _ = make_trial(tmp_path, minRequests=40)
    store, uri = world.platform.store, "s3://knoll-models/models/digits/v000002/samples.json"
    samples = [{"instance": number, "prediction": {"label": "3"}} for number in range(64)]
    store.put(uri, json.dumps({"samples": samples}).encode())
    world.platform = replace(world.platform, predictors=timed)
    live_to_the_end(world)
    sent = [json.loads(body)["instances"][0] for body in timed.bodies]
    assert sent == [*range(64), *range(16)]
