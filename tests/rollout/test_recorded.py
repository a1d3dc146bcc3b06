"""Requests of users are kept as the Model asks, and replayed to both versions instead of held-out samples."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from knoll.events import PREDICTOR_RECORDED, TRAINING_SUCCEEDED, Event, new_event
from knoll.ports import PredictAnswer, PredictRequest
from knoll.proofs import RECORDED_PURPOSE, REPORT_PURPOSE, prove
from knoll.records.recorded import MOST_OF_ONE, RecordedRequest, claimed, list_recorded
from knoll.records.signature import Signature, Tensor
from knoll.rollout import handler
from knoll.rollout.recordings import FEWEST
from rollout.slow import live_through
from rollout.world import Replays, World, make_world, promote_first, with_policy
from support.keys import private_key


def ask_for(world: World, **policy: Any) -> None:
    """Apply the Model with another policy, and let rollout see it."""
    cluster = world.platform.cluster
    cluster.update(with_policy(cluster.get("Model", "digits"), **policy))
    handler.handle(Event("1", "/x", TRAINING_SUCCEEDED, "", data={"model": "digits"}), world.platform)
    world.kserve()


@pytest.fixture
def world(tmp_path: Path) -> World:
    """v000001 serves, and its requests are recorded."""
    world = make_world(tmp_path, stamp_key=private_key(3))
    promote_first(world)
    world.time.is_still = True
    ask_for(world, recorded={"redact": ["age"]}, idle="replay")
    return world


def said(
    world: World, numbers: range, version: str = "v000001", *redacted: str, late: int = 0
) -> dict[str, Any]:
    """What a predictor of a version reports."""
    at = int(world.time.present.timestamp()) - late
    found = [
        RecordedRequest("digits", version, f"{one:016x}", at, body(one), redacted or ("age",))
        for one in numbers
    ]
    return {
        "version": version,
        "redacted": [*(redacted or ("age",))],
        "requests": [{"id": one.id, "at": one.at, "body": one.body} for one in found],
        "proof": prove(world.key_of(version), RECORDED_PURPOSE, claimed(found)),
    }


def body(number: int) -> str:
    return json.dumps({"instances": [{"age": [0], "number": number}]})


def send(world: World, data: Mapping[str, Any]) -> None:
    now, told = world.time.now(), {"model": "digits", **data}
    handler.handle(new_event(PREDICTOR_RECORDED, source="/x", time=now, data=told), world.platform)


def fill(world: World, number: int = FEWEST) -> None:
    for first in range(0, number, 10):
        send(world, said(world, range(first, min(first + 10, number))))


def kept(world: World) -> list[int]:
    """The numbers of the requests that are kept, oldest first."""
    return sorted(int(one.id, 16) for one in list_recorded(world.platform.bucket, "digits"))


def test_what_the_champion_was_asked_is_kept_once(world: World) -> None:
    for _ in range(2):
        send(world, said(world, range(3)))
    assert kept(world) == [0, 1, 2]
    (uri, *_) = (one.info.uri for one in list_recorded(world.platform.bucket, "digits"))
    assert json.loads(json.loads(world.platform.store.get(uri))["body"])["instances"][0]["age"] == [0]


def test_the_newest_stay_as_many_as_the_model_asks_for(world: World) -> None:
    ask_for(world, recorded={"keep": 50, "redact": ["age"]})
    for first in range(0, 80, 20):
        send(world, said(world, range(first, first + 20)))
        world.time.move(5)
    assert kept(world) == [*range(30, 80)]


def test_what_is_redacted_less_than_the_model_asks_for_is_neither_kept_nor_stays(world: World) -> None:
    """As after the field was added to the Model, while a predictor of before still reports."""
    send(world, said(world, range(1), "v000001", "name"))
    assert kept(world) == []
    send(world, said(world, range(1, 2)))
    send(world, said(world, range(2, 3), "v000001", "age", "name"))
    ask_for(world, recorded={"redact": ["age", "name"]})
    assert kept(world) == [2]


def test_a_model_that_does_not_ask_for_it_any_more_loses_them_and_gets_no_others(world: World) -> None:
    late = said(world, range(3, 4))
    send(world, said(world, range(3)))
    ask_for(world, recorded=None)
    assert kept(world) == []
    send(world, late)
    assert kept(world) == []


def test_a_candidate_is_not_listened_to(world: World) -> None:
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    send(world, said(world, range(3), "v000002"))
    assert kept(world) == []


def test_a_forged_report_is_told_and_not_kept(world: World) -> None:
    honest = said(world, range(3))
    claims = b"anything"
    for change in (
        {"proof": None},
        {"proof": "0" * 64},
        {"proof": prove(world.key_of("v000001"), REPORT_PURPOSE, claims)},
        {"requests": [{**honest["requests"][0], "body": "{}"}]},
        {"redacted": ["age", "name"]},
    ):
        send(world, {**honest, **change})
    assert kept(world) == []
    assert "no proof by the key" in world.status()["disbelievedReports"]["reason"]
    send(world, said(world, range(3), late=7200))
    send(world, said(world, range(3), late=-120))
    assert kept(world) == []


@pytest.mark.parametrize(
    "change",
    [
        {"version": "../v000001"},
        {"redacted": "age"},
        {"redacted": [1]},
        {"requests": None},
        {"requests": [{"id": "0" * 16, "at": 0, "body": "{}"}] * 21},
        {"requests": [{"id": "../../x", "at": 0, "body": "{}"}]},
        {"requests": [{"id": "0" * 16, "at": "0", "body": "{}"}]},
        {"requests": [{"id": "0" * 16, "at": 0, "body": 7}]},
        {"requests": [{"id": "0" * 16, "at": 0, "body": "x" * (MOST_OF_ONE + 1)}]},
    ],
)
def test_what_is_no_request_is_not_read(world: World, change: dict[str, Any]) -> None:
    """It is told as a report that is not believed, and becomes no dead letter."""
    send(world, {**said(world, range(1)), **change})
    assert kept(world) == []
    assert world.status()["disbelievedReports"]["count"] == 1


def test_predictors_are_told_what_to_record(world: World) -> None:
    """A Model that asks for nothing has the InferenceService that it had."""

    def told() -> dict[str, str]:
        isvc = world.service()
        assert isvc is not None
        env = isvc["spec"]["predictor"]["containers"][0]["env"]
        return {one["name"]: one["value"] for one in env if one["name"].startswith("KNOLL_RECORDED")}

    assert told() == {"KNOLL_RECORDED_SHARE": "1", "KNOLL_RECORDED_REDACT": '["age"]'}
    ask_for(world, recorded={"share": 7})
    assert told() == {"KNOLL_RECORDED_SHARE": "7"}
    ask_for(world, recorded=None)
    assert told() == {}


@dataclass
class Asked(Replays):
    """Predictors that remember what each version was asked. `statuses` has those of a version."""

    bodies: dict[str, list[str]] = field(default_factory=dict)
    statuses: Mapping[str, int] = field(default_factory=dict)

    def predict(self, request: PredictRequest) -> PredictAnswer:
        version = request.url.rpartition("/")[2]
        self.bodies.setdefault(version, []).append(request.body.decode())
        return replace(super().predict(request), status=self.statuses.get(version, 200))


def replayed(world: World, asked: Asked, until: str = "Idle") -> Asked:
    """A trial of v000002 without traffic, with all its replays."""
    world.platform = replace(world.platform, predictors=replace(asked, statuses={}))
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000002", 20)
    asked.bodies.clear()  # what they were asked before, to be compared
    world.platform = replace(world.platform, predictors=asked)
    world.time.move(3)
    live_through(world, lambda: world.status()["phase"] == until)
    return asked


def test_recorded_requests_are_replayed_to_both_versions_and_the_evidence_says_so(world: World) -> None:
    """Each once before one comes again."""
    ask_for(world, minRequests=40)
    fill(world)
    asked = replayed(world, Asked())
    assert world.status()["champion"] == "v000002"
    assert asked.bodies["v000001"] == asked.bodies["v000002"]
    sent = [json.loads(one)["instances"][0]["number"] for one in asked.bodies["v000002"]]
    assert (sorted(sent[:50]), sent[50:]) == ([*range(50)], sent[:30])
    evidence = world.status()["rollout"]["evidence"]
    assert (evidence["recordedReplays"], evidence["recorded"]) == ([80, 80, 0], 80)
    assert world.reasons()[-1].endswith("0 of 80 requests failed in all")


def test_with_too_few_of_them_held_out_samples_are_replayed(world: World) -> None:
    fill(world, FEWEST - 1)
    asked = replayed(world, Asked())
    assert world.status()["champion"] == "v000002"
    assert {*asked.bodies["v000002"]} == {'{"instances": [{"b64": ""}]}'}
    assert "recorded" not in world.status()["rollout"]["evidence"]


def test_old_ones_are_not_replayed(world: World) -> None:
    fill(world)
    world.time.move(31 * 24 * 3600)
    assert "number" not in str(replayed(world, Asked()).bodies)


def test_a_version_that_answers_users_otherwise_is_rolled_back(world: World) -> None:
    """Though it answers its own samples as its training did, and agrees on those of the champion."""
    fill(world)
    replayed(world, Asked(says="3", others={"v000001": "4"}))
    why = world.status()["quarantine"]["v000002"]
    assert "20 of 20 answers differ from those of v000001 (agreement: E " in why


def test_a_version_that_a_human_has_approved_may_answer_otherwise(world: World) -> None:
    fill(world)
    document = world.platform.cluster.get("Model", "digits")
    steering = {"approved": {"v000002": "ann"}}
    status = {**document["status"], "steering": {**document["status"].get("steering", {}), **steering}}
    world.platform.cluster.update({**document, "status": status}, status=True)
    replayed(world, Asked(others={"v000001": "4"}))
    assert world.status()["champion"] == "v000002"


def test_a_version_that_refuses_what_the_champion_answers_fails(world: World) -> None:
    fill(world)
    replayed(world, Asked(statuses={"v000002": 400}))
    assert "20 of 20 requests failed, and 0 of 20 to v000001" in world.status()["quarantine"]["v000002"]


def test_what_the_champion_refuses_says_nothing_and_goes(world: World) -> None:
    """As requests of before a change of the inputs. Then too few are left, and samples are replayed."""
    fill(world)
    asked = replayed(world, Asked(statuses={"v000001": 400, "v000002": 400}), "RollingBack")
    assert kept(world) == [*range(FEWEST - 20)]
    assert asked.bodies["v000002"][-1] == '{"instances": [{"b64": ""}]}'
    assert "recorded" not in world.status()["rollout"]["evidence"]


@pytest.mark.parametrize("is_changed", [True, False])
def test_a_version_with_another_signature_gets_its_own_samples(world: World, is_changed: bool) -> None:
    fill(world)
    ask_for(world, allowSignatureChange=True)
    for version, shape in (("v000001", (-1, 2)), ("v000002", (-1, 3 if is_changed else 2))):
        tensor = Tensor("x", "FP32", shape)
        uri = f"s3://knoll-models/models/digits/{version}/signature.json"
        world.platform.store.put(uri, Signature((tensor,), (tensor,)).encode())
    bodies = replayed(world, Asked()).bodies["v000002"]
    assert ("number" in str(bodies)) is not is_changed
