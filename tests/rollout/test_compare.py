"""Before any traffic the candidate answers the champion's samples; if it answers otherwise, it waits for
approval."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from knoll.events import TRAINING_SUCCEEDED, Event
from knoll.events.types import ROLLOUT_CONTINUED, ROLLOUT_HELD
from knoll.kube.annotations import ROLLOUT_WISH
from knoll.ports import Document, PredictAnswer, PredictRequest
from knoll.records.samples import Sample
from knoll.rollout import handler
from knoll.rollout.comparison import Comparison, agrees, compared_samples, spreads
from knoll.rollout.memory import slot_from_records
from knoll.rollout.replay import ANSWER_TIME, REPLAY_TIME
from knoll.rollout.wishes import Verb, new_wish
from rollout.slow import Killed, Slow, live_through
from rollout.world import Replays, World, make_world, promote_canary, promote_first


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = make_world(tmp_path)
    promote_first(world)
    return world


def answer_as(world: World, predictors: Replays) -> Replays:
    world.platform = replace(world.platform, predictors=predictors)
    return predictors


@dataclass
class Noisy(Replays):
    """Versions that give another answer to so many of each ten requests; `failing` answers none."""

    differs: Mapping[str, int] = field(default_factory=dict)
    failing: str = ""
    asked: Counter[str] = field(default_factory=Counter)

    def predict(self, request: PredictRequest) -> PredictAnswer:
        version = request.url.rpartition("/")[2]
        number, self.asked[version] = self.asked[version] % 10, self.asked[version] + 1
        if version == self.failing:
            return PredictAnswer(503, 0.01, b"", "text/plain", version)
        self.others = {version: "4" if number < self.differs.get(version, 0) else "3"}
        return super().predict(request)


def compared(world: World) -> Document:
    found: Document = world.status()["rollout"]["comparison"]
    return found


def hold_second(world: World) -> None:
    """v000002 answers otherwise than the champion."""
    world.time.move(1)
    answer_as(world, Replays(others={"v000002": "4"}))
    world.publish("v000002", 0.98, data="shifted")
    world.tell(TRAINING_SUCCEEDED)
    world.tell(TRAINING_SUCCEEDED)


def ask(world: World, verb: Verb) -> None:
    """Leave a wish about v000002, and wake rollout."""
    document = world.platform.cluster.get("Model", "digits")
    wish = new_wish(verb, "v000002", "ada", world.time.now().isoformat())
    metadata = {**document["metadata"], "annotations": {ROLLOUT_WISH: wish.encode()}}
    world.platform.cluster.update({**document, "metadata": metadata})
    world.tell(TRAINING_SUCCEEDED)


def test_a_version_of_other_labels_is_held_and_never_gets_traffic(world: World) -> None:
    seen = []
    observe = world.kserve

    def kserve() -> None:
        observe()
        service = world.service()
        assert service
        traffic = service["status"]["components"]["predictor"]["traffic"]
        seen.append((world.served()[0], traffic[0]["percent"]))

    world.kserve = kserve  # type: ignore[method-assign]
    hold_second(world)
    assert {percent for version, percent in seen if version == "v000002"} == {0}
    assert (world.served(), world.status()["phase"]) == (("v000001", None), "Idle")
    assert world.records()[4:] == ["2 Start 0", "2 Hold 0"]
    held = world.status()["held"]
    assert held["version"] == "v000002"
    assert held["reason"].startswith("agrees with v000001 on 0 of 1 held-out samples")
    assert "the gate asks for agreement on 80%" in held["reason"]
    (told,) = [one for one in world.sink.taken if one.type == ROLLOUT_HELD]
    assert told.data["comparison"]["agreed"] == 0
    assert world.status()["quarantine"] == {}


def test_undo_gives_no_approval_to_what_never_served(world: World) -> None:
    hold_second(world)
    ask(world, "undo")
    handled = world.status()["steering"]["wish"]
    assert handled["refused"]
    assert handled["answer"] == "v000002 waits for approval; knoll rollout approve digits v000002 gives it"
    assert world.served() == ("v000001", None)


def test_what_is_held_is_not_tried_again_and_a_newer_version_is(world: World) -> None:
    hold_second(world)
    before = world.records()
    for _ in range(3):
        world.tell(TRAINING_SUCCEEDED)
    assert world.records() == before
    answer_as(world, Replays())
    world.publish("v000003", 0.98)
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000003", 20)
    assert world.status()["held"] is None


def test_when_the_data_of_the_champion_returns_nothing_waits_any_more(world: World) -> None:
    hold_second(world)
    document = world.platform.cluster.get("Model", "digits")
    status = {**document["status"], "dataset": {"run": "v000001"}}
    world.platform.cluster.update({**document, "status": status}, status=True)
    world.tell(TRAINING_SUCCEEDED)
    assert (world.status()["held"], world.status()["phase"]) == (None, "Idle")
    assert world.served() == ("v000001", None)


def make_noisy(folder: Path) -> tuple[World, Noisy]:
    """A world in which v000002 is about to be compared with a champion that differs from itself."""
    world = make_world(folder)
    world.samples = 10
    promote_first(world)
    noisy = Noisy()
    answer_as(world, noisy)
    world.publish("v000002", 0.98)
    return world, noisy


def test_a_champion_that_differs_from_itself_is_no_reason_to_hold(tmp_path: Path) -> None:
    """v000002 agrees with it on half of the samples, and so does the champion itself."""
    world, noisy = make_noisy(tmp_path)
    noisy.differs = {"v000001": 5, "v000002": 5}
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000002", 20)
    found = compared(world)
    assert [found[name] for name in ("agreed", "asked", "repeatAgreed", "repeated")] == [5, 10, 5, 10]
    reason = world.status()["rollout"]["transition"]["reason"]
    assert "on 5 of 10 held-out samples, which itself agrees with 5 of 10 when it is asked again" in reason


def test_a_version_may_differ_no_more_than_the_champion_and_the_gate_let_it(tmp_path: Path) -> None:
    world, noisy = make_noisy(tmp_path)
    noisy.differs = {"v000001": 5, "v000002": 8}
    world.tell(TRAINING_SUCCEEDED)
    assert (world.served(), world.status()["held"]["version"]) == (("v000001", None), "v000002")


def test_a_champion_is_asked_only_if_the_candidate_agrees_too_little(tmp_path: Path) -> None:
    world, noisy = make_noisy(tmp_path)
    noisy.differs = {"v000001": 5, "v000002": 2}
    world.tell(TRAINING_SUCCEEDED)
    assert (world.served(), noisy.asked["v000001"]) == (("v000002", 20), 0)


def test_a_champion_that_does_not_answer_is_waited_for_until_the_deadline(tmp_path: Path) -> None:
    world, noisy = make_noisy(tmp_path)
    noisy.differs, noisy.failing = {"v000002": 9}, "v000001"
    world.tell(TRAINING_SUCCEEDED)
    assert (world.status()["phase"], noisy.asked["v000001"] > 0) == ("Deploying", True)
    world.time.move(101)
    world.tell(TRAINING_SUCCEEDED)
    assert (world.status()["held"]["version"], world.status()["quarantine"]) == ("v000002", {})


def test_a_version_that_was_the_champion_before_needs_no_approval(world: World) -> None:
    """The version that serves may be the wrong one."""
    world.publish("v000002", 0.98, data="other")
    world.tell(TRAINING_SUCCEEDED)
    promote_canary(world)
    answer_as(world, Replays(says="4"))
    document = world.platform.cluster.get("Model", "digits")
    status = {**document["status"], "dataset": {"run": "v000001"}}
    world.platform.cluster.update({**document, "status": status}, status=True)
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000001", 20)
    assert (compared(world)["agreed"], compared(world)["asked"]) == (0, 1)


def test_a_gate_that_asks_for_no_agreement_holds_nothing(world: World) -> None:
    document = world.platform.cluster.get("Model", "digits")
    gate = {**document["spec"]["gate"], "minAgreement": 0}
    world.platform.cluster.update({**document, "spec": {**document["spec"], "gate": gate}})
    hold_second(world)
    assert world.served() == ("v000002", 20)


def test_a_gate_that_asks_for_less_lets_go_what_is_held(world: World) -> None:
    hold_second(world)
    document = world.platform.cluster.get("Model", "digits")
    gate = {**document["spec"]["gate"], "minAgreement": 0}
    world.platform.cluster.update({**document, "spec": {**document["spec"], "gate": gate}})
    world.tell(TRAINING_SUCCEEDED)
    assert (world.served(), world.status()["held"]) == (("v000002", 20), None)


def test_what_is_approved_is_tried(world: World) -> None:
    hold_second(world)
    ask(world, "approve")
    assert (world.served(), world.status()["held"]) == (("v000002", 20), None)
    assert world.records()[4:] == ["2 Start 0", "2 Hold 0", "2 Approve 100", "2 Start 0", "2 Shift 20"]


def test_the_memory_of_a_deleted_model_has_what_waits(world: World) -> None:
    hold_second(world)
    held = slot_from_records("digits", world.platform.bucket).held
    assert held
    assert held.version == "v000002"


def test_samples_that_are_not_as_pinned_are_no_measure(world: World) -> None:
    """Whoever can write the champion's samples could have anything agree with them."""
    world.publish("v000002", 0.98)
    handler.handle(Event("e", "/test", TRAINING_SUCCEEDED, "", data={"model": "digits"}), world.platform)
    uri = "s3://knoll-models/models/digits/v000001/samples.json"
    world.platform.store.put(uri, b'{"samples": []}')
    world.tell(TRAINING_SUCCEEDED)
    assert "samples of v000001 cannot be read" in world.status()["held"]["reason"]


def make_slow(folder: Path, samples: int = 8) -> tuple[World, Slow]:
    """A world in which v000002 is about to be compared on so many samples."""
    folder.mkdir(exist_ok=True)
    world = make_world(folder)
    world.samples = samples
    promote_first(world)
    slow = Slow(world=world, seconds=6.0)
    answer_as(world, slow)
    world.publish("v000002", 0.98)
    return world, slow


def live_to_the_canary(world: World) -> list[float]:
    """Until the candidate has traffic or is gone; the seconds of each call."""

    def is_over() -> bool:
        return bool(world.status()["phase"] == "Canary" or world.status().get("quarantine"))

    return live_through(world, is_over)


def test_a_slow_candidate_is_asked_over_several_calls(tmp_path: Path) -> None:
    world, slow = make_slow(tmp_path)
    assert max(live_to_the_canary(world)) <= REPLAY_TIME.total_seconds()
    assert (slow.sent, compared(world)["agreed"]) == (8, 8)
    assert world.sink.types().count(ROLLOUT_CONTINUED) == 2


@pytest.mark.parametrize("fatal", [0, 1, 3, 7])
def test_a_kill_in_the_middle_counts_nothing_twice(tmp_path: Path, fatal: int) -> None:
    world, slow = make_slow(tmp_path)

    def kill(number: int) -> None:
        if number == fatal:
            raise Killed

    slow.before = kill
    live_to_the_canary(world)
    assert (compared(world)["asked"], compared(world)["agreed"]) == (8, 8)
    assert 8 < slow.sent <= 11


def test_a_candidate_that_never_answers_is_rolled_back_in_the_end(tmp_path: Path) -> None:
    world, slow = make_slow(tmp_path)
    slow.seconds = 600.0
    assert max(live_to_the_canary(world)) <= (REPLAY_TIME + ANSWER_TIME).total_seconds()
    assert world.status()["quarantine"] == {"v000002": "answered 0 of the 8 samples of v000001 in time"}
    assert world.status()["champion"] == "v000001"


@pytest.mark.parametrize(
    ("answer", "expected", "is_same"),
    [
        ({"label": "3", "probabilities": {"3": 0.5}}, {"label": "3", "probabilities": {"3": 0.9}}, True),
        ({"label": "4"}, {"label": "3"}, False),
        (None, {"label": "3"}, False),
        ([104.0], [100.0], True),
        ([106.0], [100.0], False),
        ([104.0, 1.0], [100.0], False),
        (float("nan"), [100.0], False),
        ({"b64": "AA"}, [100.0], False),
    ],
)
def test_labels_are_equal_or_numbers_near(answer: Any, expected: Any, is_same: bool) -> None:
    """Near is a tenth of the spread of the champion's answers, here 50."""
    assert agrees(answer, expected, (50.0,)) is is_same


def test_numbers_of_several_outputs_count_together() -> None:
    first, second = {"low": [0.0, 1.0], "high": 10.0}, {"low": [1.0, 1.0], "high": 30.0}
    spread = spreads([Sample(1, first), Sample(2, second)])
    assert spread == (20.0, 1.0, 0.0)
    assert agrees({"low": [0.05, 1.0], "high": 12.0}, first, spread)
    assert not agrees({"low": [0.5, 1.0], "high": 10.0}, first, spread)


def test_pictures_have_nothing_to_compare() -> None:
    assert compared_samples([Sample({"seed": 1}, {"b64": "iVBORw0KGgo="}), Sample(1, None)]) == []


def test_both_scores_are_on_the_same_samples() -> None:
    found = Comparison("v000002", "v000001", samples=3)
    for answer, theirs, truth in (("1", "1", "1"), ("2", "1", "1"), ("2", "2", "1")):
        found = found.with_answer({"label": answer}, Sample(0, {"label": theirs}, truth), ())
    assert (found.agreement, found.scores) == (2 / 3, (1 / 3, 2 / 3))
    assert found.words == (
        "agrees with v000001 on 2 of 3 held-out samples; on these v000002 is right on 33%, v000001 on 67%"
    )
    assert replace(found, asked=0, labelled=0).scores is None
