"""What somebody else changes in the InferenceService is told, and stays; with a real document store."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from knoll.events import TICK, TRAINING_SUCCEEDED, new_event
from knoll.models import parse_model
from knoll.ports import Document
from knoll.rollout import handler
from knoll.rollout.inference_service import OWN_FIELDS, differences, holds, inference_service
from knoll.rollout.wishes import Verb, new_wish
from knoll.settings import Settings
from rollout.world import MODEL, World, fail_canary, make_world, promote_canary, promote_first, with_policy

Change = Callable[[Document], Document]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


@pytest.fixture
def canary(world: World) -> World:
    """v000002 has its first 20 % beside v000001."""
    promote_first(world)
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000002", 20)
    return world


def edit(world: World, wake: bool = True, **fields: Any) -> None:
    """Change fields of the predictor by hand, as with kubectl."""
    service = world.service()
    assert service is not None
    spec = {"predictor": {**service["spec"]["predictor"], **fields}}
    managers = [
        {"manager": "knoll", "time": "2026-01-01T00:00:00Z"},
        {"manager": "kubectl-edit", "time": "2026-01-01T00:00:05Z"},
        {"manager": "kserve", "time": "2026-01-01T00:00:09Z", "subresource": "status"},
    ]
    metadata = {**service["metadata"], "managedFields": managers}
    world.platform.cluster.update({**service, "metadata": metadata, "spec": spec})
    if wake:
        world.tell(TRAINING_SUCCEEDED)


def ask(world: World, verb: Verb, version: str = "") -> tuple[bool, str]:
    """Leave a wish and wake rollout; whether it was granted, and the answer."""
    document = world.platform.cluster.get("Model", "digits")
    wish = new_wish(verb, version, "ann", world.time.now().isoformat())
    metadata = {**document["metadata"], "annotations": {"knoll.dev/rollout-wish": wish.encode()}}
    world.platform.cluster.update({**document, "metadata": metadata})
    world.tell(TRAINING_SUCCEEDED)
    handled = world.status()["steering"]["wish"]
    assert handled["id"] == wish.id
    return not handled["refused"], handled["answer"]


def predictor(world: World) -> Mapping[str, Any]:
    service = world.service()
    assert service is not None
    found: Mapping[str, Any] = service["spec"]["predictor"]
    return found


def test_an_edit_during_a_canary_stays_and_the_rollout_waits(canary: World) -> None:
    edit(canary, minReplicas=3)
    canary.observe("v000002", 50)
    canary.time.move(1000)
    canary.tell(TRAINING_SUCCEEDED)
    assert (canary.served(), predictor(canary)["minReplicas"]) == (("v000002", 20), 3)
    assert canary.status()["rollout"]["evidence"]["requests"] == 50
    assert canary.status()["steering"]["edit"]["fields"] == ["predictor.minReplicas"]
    assert canary.records()[4:] == ["2 Start 0", "2 Shift 20", "2 Edit 20"]
    assert canary.reasons()[-1] == "kubectl-edit has changed predictor.minReplicas of the InferenceService"
    assert canary.sink.taken[-1].type == "dev.knoll.rollout.edited"


def test_resume_takes_the_edit_back_and_the_rollout_goes_on(canary: World) -> None:
    edit(canary, minReplicas=3, canaryTrafficPercent=70)
    canary.observe("v000002", 50)
    answer = "the change of predictor.minReplicas, predictor.canaryTrafficPercent is undone by ann"
    assert ask(canary, "resume", "v000002") == (True, answer)
    canary.tell(TRAINING_SUCCEEDED)
    assert (canary.served(), predictor(canary)["minReplicas"]) == (("v000002", 50), 0)
    assert canary.records()[6:] == ["2 Edit 20", "2 Unedit 20", "2 Shift 50"]
    promote_canary_from_half(canary)


def promote_canary_from_half(world: World) -> None:
    world.observe("v000002", 100)
    world.time.move(61)
    world.tell(TRAINING_SUCCEEDED)
    assert world.status()["champion"] == "v000002"


def test_an_edit_that_is_taken_back_by_hand_is_over(canary: World) -> None:
    edit(canary, minReplicas=3)
    edit(canary, minReplicas=0)
    assert canary.status()["steering"]["edit"] is None
    assert canary.reasons()[-1] == "predictor.minReplicas of the InferenceService is as wanted again"
    canary.observe("v000002", 20)
    assert canary.served() == ("v000002", 50)


def test_a_model_that_asks_for_the_same_ends_it_too(canary: World) -> None:
    edit(canary, minReplicas=3)
    for replicas, is_held in ((2, True), (3, False)):
        document = canary.platform.cluster.get("Model", "digits")
        serving = {"minReplicas": replicas, "maxReplicas": 3}
        canary.platform.cluster.update({**document, "spec": {**document["spec"], "serving": serving}})
        canary.tell(TRAINING_SUCCEEDED)
        assert (canary.status()["steering"]["edit"] is not None) == is_held
        assert predictor(canary)["minReplicas"] == 3
    assert predictor(canary)["maxReplicas"] == 3


@pytest.mark.parametrize("percent", [20, 100])
def test_a_version_that_fails_is_rolled_back_over_an_edit(canary: World, percent: int) -> None:
    """Also over one that gave it all traffic."""
    edit(canary, minReplicas=3, canaryTrafficPercent=percent)
    fail_canary(canary)
    assert (canary.served(), predictor(canary)["minReplicas"]) == (("v000001", None), 0)
    reason = canary.status()["quarantine"]["v000002"]
    assert reason.startswith("10 of 10 requests failed, and 0 of ")
    assert "; the change of predictor.minReplicas" in reason
    assert reason.endswith("is undone")


def test_a_rollback_is_carried_out_over_an_edit_that_was_not_seen_before(canary: World) -> None:
    """Otherwise the failing version would keep its traffic."""
    canary.passes = 0
    fail_canary(canary)
    assert canary.served() == ("v000001", 0)
    edit(canary, canaryTrafficPercent=80, labels={"knoll.dev/version": "v000002"})
    assert canary.served() == ("v000001", 0)
    assert canary.reasons()[-1].endswith("of the InferenceService; it is undone")
    canary.passes = 2
    canary.tell(TRAINING_SUCCEEDED)
    assert (canary.served(), canary.status()["phase"]) == (("v000001", None), "Idle")


def test_a_version_without_traffic_is_not_rolled_back_while_its_service_is_edited(world: World) -> None:
    """What it does may be the edit's doing."""
    promote_first(world)
    world.publish("v000002", 0.96)
    world.broken = {"v000002"}
    world.passes = 0
    world.tell(TRAINING_SUCCEEDED)
    edit(world, minReplicas=3, wake=False)
    world.passes = 2
    world.time.move(1000)
    world.tell(TRAINING_SUCCEEDED)
    assert world.status()["phase"] == "Deploying"
    assert ask(world, "abort", "v000002") == (True, "aborted by ann")
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000001", None)


def test_no_trial_begins_while_what_serves_is_edited(world: World) -> None:
    promote_first(world)
    edit(world, minReplicas=3)
    world.publish("v000002", 0.96)
    world.tell(TRAINING_SUCCEEDED)
    assert (world.status()["phase"], world.served()) == ("Idle", ("v000001", None))
    why = "predictor.minReplicas of the InferenceService was changed; knoll rollout resume undoes that"
    assert ask(world, "undo", "v000002") == (False, why)
    assert world.records()[3:] == ["1 Promote 100", "1 Edit 100", "1 Refuse 100"]
    assert ask(world, "resume") == (True, "the change of predictor.minReplicas is undone by ann")
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000002", 20)


def test_promote_waits_for_the_end_of_an_edit_and_pause_does_not(canary: World) -> None:
    edit(canary, minReplicas=3)
    assert not ask(canary, "promote", "v000002")[0]
    assert ask(canary, "pause", "v000002") == (True, "paused at 20 % by ann")
    answer = "resumed at 20 % by ann; the change of predictor.minReplicas is undone"
    assert ask(canary, "resume", "v000002") == (True, answer)
    assert (predictor(canary)["minReplicas"], canary.status()["steering"]["paused"]) == (0, "")


def test_what_is_added_stays_in_each_step_and_is_no_edit(canary: World) -> None:
    """As a webhook adds defaults, also in a later write."""
    tolerations = [{"key": "gpu"}]
    edit(canary, tolerations=tolerations)
    promote_canary(canary)
    assert predictor(canary)["tolerations"] == tolerations
    assert canary.status()["steering"]["edit"] is None


def test_a_service_that_somebody_deletes_is_written_again(canary: World) -> None:
    promote_canary(canary)
    canary.platform.cluster.delete("InferenceService", "digits")
    canary.tell(TRAINING_SUCCEEDED)
    assert canary.served() == ("v000002", None)
    edit(canary, minReplicas=3)
    assert predictor(canary)["minReplicas"] == 3


@pytest.fixture
def held_up_tick(monkeypatch: pytest.MonkeyPatch) -> Callable[[World, Callable[[], None]], None]:
    """A tick to which something happens after it has listed the InferenceServices."""

    def tick(world: World, meanwhile: Callable[[], None]) -> None:
        cluster = world.platform.cluster
        listed = cluster.list

        def held_up(kind: str, labels: Mapping[str, str] | None = None) -> list[Document]:
            if kind == "Model":
                monkeypatch.undo()
                meanwhile()
            return listed(kind, labels)

        monkeypatch.setattr(cluster, "list", held_up)
        handler.sweep(new_event(TICK, source="/ticker", time=world.time.now()), world.platform)

    return tick


def test_a_service_that_was_deleted_since_a_tick_has_read_it_is_not_edited(
    canary: World, held_up_tick: Callable[[World, Callable[[], None]], None]
) -> None:
    """The slot is newer, and has the lower generation of the service that was created since then."""

    def delete_the_canary() -> None:
        canary.platform.cluster.delete("InferenceService", "digits")
        canary.passes = 0
        canary.tell(TRAINING_SUCCEEDED)
        canary.tell(TRAINING_SUCCEEDED)
        assert canary.served() == ("v000001", None)

    held_up_tick(canary, delete_the_canary)
    assert canary.status()["steering"]["edit"] is None
    canary.passes = 2
    canary.tell(TRAINING_SUCCEEDED)
    assert canary.served() == ("v000002", 20)


def test_a_tick_that_read_a_service_before_it_was_created_anew_hides_no_edit(
    canary: World, held_up_tick: Callable[[World, Callable[[], None]], None]
) -> None:
    """The old service had a greater generation than an edit of the new one leads to."""
    promote_canary(canary)

    def delete_the_service() -> None:
        canary.platform.cluster.delete("InferenceService", "digits")
        canary.tell(TRAINING_SUCCEEDED)

    held_up_tick(canary, delete_the_service)
    edit(canary, minReplicas=3)
    assert predictor(canary)["minReplicas"] == 3


def test_an_edit_is_over_when_its_service_is_replaced_by_another_one(canary: World) -> None:
    """As with `kubectl replace --force`: what is new begins with a lower generation."""
    edit(canary, minReplicas=3)
    service = canary.service()
    assert service is not None
    canary.platform.cluster.delete("InferenceService", "digits")
    metadata = {key: service["metadata"][key] for key in ("name", "labels", "annotations")}
    canary.platform.cluster.create({**service, "metadata": metadata, "status": {}})
    canary.tell(TRAINING_SUCCEEDED)
    assert canary.status()["steering"]["edit"] is None
    assert predictor(canary)["minReplicas"] == 0


def test_differences_are_named_by_their_place() -> None:
    live = {"a": {"b": [{"c": 1}, 2], "more": 0}, "canaryTrafficPercent": 5}
    assert [*differences(live, {"a": {"b": [{"c": 2}, 2], "d": 1}})] == [
        "canaryTrafficPercent",
        "a.b[0].c",
        "a.d",
    ]
    assert [*differences(live, {"a": {"b": [1]}, "canaryTrafficPercent": 5})] == ["a.b"]
    assert holds(live, {"a": {"more": 0}, "canaryTrafficPercent": 5})


def test_the_fields_that_knoll_writes_are_known_as_its_own() -> None:
    settings = Settings(home=Path("/nowhere"), predictor_node_selector={"pool": "gpu"})
    model = parse_model(with_policy(MODEL))
    made = inference_service(model, "v000001", 20, settings, 1, "pin", "key", "secret")
    assert made["spec"]["predictor"].keys() == OWN_FIELDS
