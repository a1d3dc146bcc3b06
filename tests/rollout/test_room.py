"""A version that has no room waits with a sentence, and the champion serves on."""

import json
from pathlib import Path
from typing import Any

import pytest

from knoll.errors import InvalidModel
from knoll.events import TRAINING_SUCCEEDED
from knoll.models import Model, parse_model
from knoll.ports import Document, PredictAnswer, PredictRequest
from knoll.rollout.inference_service import desired
from knoll.rollout.moves import slot_after
from knoll.rollout.observed import Observed, observe
from knoll.rollout.room import NoRoom, find_no_room
from knoll.rollout.shortage import amid_shortage
from knoll.rollout.slot import Slot
from knoll.rollout.steps import NotYet, Restore, Rollback, Settle, Shift
from knoll.settings import Settings
from knoll.views.models import find_model
from knoll.views.rollouts import read_rollout
from rollout.world import MODEL, Replays, World, make_world, promote_first, with_policy

GPU = "nvidia.com/gpu"
# what a real API server has answered
OVER_QUOTA = json.loads((Path(__file__).parents[1] / "adapters/statuses/quota.json").read_text())["message"]
DEPLOYING = Slot(champion="v000001", candidate="v000002", phase="Deploying")
AT, EARLIER = "2026-01-01T00:01:00+00:00", "2026-01-01T00:00:00+00:00"
CROWDED = Observed(trouble="Unschedulable: 1 Insufficient nvidia.com/gpu", has_no_room=True)


def model(strategy: str = "availability", **serving: Any) -> Model:
    serving = {"resources": {GPU: 1}, **serving}
    document = {**MODEL, "spec": {**MODEL["spec"], "serving": serving, "rollout": {"strategy": strategy}}}
    return parse_model(document)


def quota(hard: Any, used: Any = 0, resource: str = f"requests.{GPU}", **spec: Any) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "team"},
        "spec": spec,
        "status": {"hard": {resource: str(hard)}, "used": {resource: str(used)}},
    }


def pod(phase: str = "Running", version: str = "v000001", name: str = "pod") -> Document:
    labels = {
        "app.kubernetes.io/managed-by": "knoll",
        "knoll.dev/model": "digits",
        "knoll.dev/version": version,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {},
        "status": {"phase": phase},
    }


@pytest.mark.parametrize(
    ("declared", "awake", "quotas", "missing"),
    [
        (model(), 1, [], ""),
        (model(), 1, [quota(2, 1)], ""),
        (
            model(),
            1,
            [quota(1, 1)],
            "1 replica of v000002 needs 1 of requests.nvidia.com/gpu, and the quota team has 0 of 1 left",
        ),
        (
            model(),
            0,
            [quota(1)],
            "1 replica of v000002 and 1 of v000001, which sleeps, need 2 of requests.nvidia.com/gpu, "
            "and the quota team has 1 of 1 left",
        ),
        (model("resource"), 0, [quota(1)], ""),
        (
            model("resource"),
            1,
            [],
            "v000001 is awake, and with the strategy resource one version runs at a time",
        ),
        (
            model(minReplicas=2, resources={}),
            2,
            [quota("1536Mi", "1Gi", "limits.memory")],
            "2 replicas of v000002 need 1Gi of limits.memory, and the quota team has 512Mi of 1.5Gi left",
        ),
        (model(resources={"cpu": "500m"}), 1, [quota("1", "600m", "cpu")], "has 0.4 of 1 left"),
        (model(), 1, [quota(1, 1, "count/pods")], "1 of count/pods"),
        (model(), 1, [quota(1, 1, scopes=["Terminating"])], ""),
        (model(), 1, [quota(1, 1, scopes=["NotTerminating"])], "has 0 of 1 left"),
        (model(), 1, [quota(1, 1, "limits.cpu")], ""),
        (model(), 1, [quota("1e3", 1)], ""),
        (model(), 1, [quota(1, 3)], "has 0 of 1 left"),
        (model(), 1, [{"metadata": {"name": "new"}}], ""),
    ],
)
def test_what_is_missing_is_named_with_its_numbers(
    declared: Model, awake: int, quotas: list[Document], missing: str
) -> None:
    """By `availability` a champion that sleeps keeps its room; by `resource` one version runs at a time."""
    pods = [pod()] * awake + [pod("Succeeded")]
    found = find_no_room(declared, "v000002", "v000001", pods, quotas)
    assert missing in found.reason if found and missing else (found is None) == (missing == "")


@pytest.mark.parametrize(
    ("step", "observed", "before", "after"),
    [
        (NotYet("waits"), CROWDED, "", NotYet(CROWDED.trouble)),
        (Rollback("late"), CROWDED, "", Restore()),
        (
            Rollback("gave up"),
            Observed(failure="ProgressDeadlineExceeded: no", gave_up=True),
            "no room",
            Restore(),
        ),
        (
            Rollback("gave up"),
            Observed(failure="ProgressDeadlineExceeded: no", gave_up=True),
            "",
            Rollback("gave up"),
        ),
        (Rollback("crash"), Observed(failure="ExitCode65: digest"), "no room", Rollback("crash")),
        (Shift(0, 100, "ready"), Observed(is_ready=True), "no room", Shift(0, 100, "ready")),
    ],
)
def test_a_version_without_room_is_asked_for_again_and_not_barred(
    step: Any, observed: Observed, before: str, after: Any
) -> None:
    lack = NoRoom("v000002", before, "", EARLIER) if before else None
    slot = Slot(**{**vars(DEPLOYING), "no_room": lack})
    found, told = amid_shortage(step, slot, observed, AT)
    assert found == after
    if isinstance(after, NotYet | Restore):
        assert told.no_room is not None
        assert (told.no_room.version, told.no_room.since) == ("v000002", EARLIER if before else AT)
    else:
        assert told.no_room is None


@pytest.mark.parametrize("step", [Shift(0, 100, "ready"), Settle()])
def test_no_traffic_is_taken_from_a_champion_that_requests_wait_for(step: Any) -> None:
    """They would wait for the end of the version that gets the traffic."""
    found, told = amid_shortage(step, DEPLOYING, Observed(is_ready=True, champion_waits=True), AT)
    assert isinstance(found, NotYet)
    assert told.no_room is not None
    assert "requests wait for v000001" in told.no_room.reason


@pytest.mark.parametrize(
    ("reason", "message", "has_none"),
    [
        ("Unschedulable", "0/1 nodes are available", True),
        ("FailedCreate", OVER_QUOTA, True),
        ("FailedCreate", "admission webhook quota-policy denied the request", False),
        ("ExitCode1", "exceeded quota", False),
    ],
)
def test_only_a_pod_that_nothing_takes_has_no_room(reason: str, message: str, has_none: bool) -> None:
    isvc = {"status": {"components": {"predictor": {"latestCreatedRevision": "two"}}}}
    ready = {"type": "Ready", "status": "False", "reason": reason, "message": message}
    revision = {
        "metadata": {"labels": {"knoll.dev/version": "v000002"}},
        "status": {"conditions": [ready]},
    }
    assert observe(isvc, revision, "v000002").has_no_room is has_none


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"rollout": {"strategy": "resource", "steps": [5]}}, "all traffic at once: leave out steps"),
        (
            {"rollout": {"strategy": "resource"}, "serving": {"minReplicas": 1}},
            "serving.minReplicas must be 0, not 1",
        ),
    ],
)
def test_what_one_gpu_cannot_do_is_refused(spec: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidModel, match=why):
        parse_model({**MODEL, "spec": {**MODEL["spec"], "rollout": {}, **spec}})


def test_another_revision_of_the_candidate_is_asked_for() -> None:
    slot = slot_after(DEPLOYING, Restore(), AT)
    annotations = [
        (desired(model(), one, Settings()) or {})["spec"]["predictor"]["annotations"]
        for one in (DEPLOYING, slot)
    ]
    assert annotations[0] != annotations[1]
    assert (slot.phase, slot.since) == ("Deploying", AT)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """The champion v000001, and v000002, which is trained."""
    world = make_world(tmp_path)
    promote_first(world)
    world.publish("v000002", 0.96)
    return world


def put(world: World, document: Document) -> None:
    made = world.platform.cluster.create(document)
    world.platform.cluster.update({**made, "status": document["status"]}, status=True)


def test_a_version_waits_for_the_quota_and_starts_when_there_is_room(world: World) -> None:
    put(world, quota(1, 1, "pods"))
    world.tell(TRAINING_SUCCEEDED)
    world.time.move(60)
    world.tell(TRAINING_SUCCEEDED)
    status = world.status()
    assert (status["champion"], status["candidate"], status["phase"]) == ("v000001", "", "Idle")
    assert world.served() == ("v000001", None)
    view = read_rollout(world.platform, "digits")
    assert "room for v000002: 1 replica of v000002 and 1 of v000001" in view.waiting
    assert "raise the quota" in view.waiting
    assert not view.is_over
    assert find_model(world.platform, "digits").conditions[0].reason == "NoRoom"
    world.platform.cluster.delete("ResourceQuota", "team")
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000002", 20)
    assert world.status()["noRoom"] is None


def test_a_version_that_the_gate_refuses_waits_for_no_room(world: World) -> None:
    put(world, quota(1, 1, "pods"))
    world.publish("v000003", 0.1)
    world.tell(TRAINING_SUCCEEDED)
    assert world.records()[-1] == "3 Reject 0"


def test_with_one_gpu_a_version_starts_while_the_champion_sleeps_and_gets_all_traffic(world: World) -> None:
    use_one(world)
    put(world, pod())
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000001", None)
    assert "when v000001 has had no requests for a while" in read_rollout(world.platform, "digits").waiting
    world.platform.cluster.delete("Pod", "pod")
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000002", 100)
    world.observe("v000002", 20)
    assert world.served() == ("v000002", None)


def test_requests_that_wake_the_champion_come_before_the_version(world: World) -> None:
    use_one(world)
    world.passes = 0
    world.tell(TRAINING_SUCCEEDED)
    put(world, pod("Pending"))
    world.passes = 2
    world.tell(TRAINING_SUCCEEDED)
    assert (world.served(), world.status()["phase"]) == (("v000002", 0), "Deploying")
    assert "requests wait for v000001" in read_rollout(world.platform, "digits").waiting
    world.platform.cluster.delete("Pod", "pod")
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000002", 100)


def use_one(world: World, **policy: Any) -> None:
    """One GPU is to suffice."""
    document = world.platform.cluster.get("Model", "digits")
    document = with_policy(document, strategy="resource", steps=[], **policy)
    world.platform.cluster.update(document)


def test_with_all_traffic_no_replay_wakes_the_champion(world: World) -> None:
    """It would wait for the GPU that the version has."""
    use_one(world, idle="replay")
    asked: list[str] = []
    replays = Replays()

    def predict(request: PredictRequest) -> PredictAnswer:
        asked.append(request.url)
        return replays.predict(request)

    world.platform.predictors.predict = predict  # type: ignore[method-assign]
    world.tell(TRAINING_SUCCEEDED)
    world.time.move(4)
    world.tell(TRAINING_SUCCEEDED)
    assert world.status()["phase"] == "Baking"
    assert {url.rpartition("/")[2] for url in asked} == {"v000002"}
