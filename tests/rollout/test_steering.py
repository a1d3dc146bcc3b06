"""What humans ask of a rollout is carried out once, or refused in words; with a real document store."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from unittest.mock import Mock

import pytest

from knoll.errors import Conflict, NewerSchema
from knoll.events import TICK, TRAINING_SUCCEEDED, new_event, object_changed
from knoll.records.rollout import list_steps
from knoll.rollout import handler
from knoll.rollout.wishes import new_wish
from knoll.views.models import find_model
from knoll.views.rollouts import read_rollout
from rollout.world import World, fail_canary, make_world, promote_canary, promote_first, with_policy

WISH = "knoll.dev/rollout-wish"


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


def ask(
    world: World, verb: str, version: str = "", *, is_full: bool = False, because: str = ""
) -> tuple[bool, str]:
    """A moment later, leave a wish and wake rollout; return whether it was granted, and the answer."""
    world.time.move(1)
    at, known = world.time.now().isoformat(), cast(Any, verb)
    wish = new_wish(known, version, "ann", at, is_full=is_full, because=because)
    leave(world, wish.encode())
    world.tell(TRAINING_SUCCEEDED)
    handled = world.status()["steering"]["wish"]
    assert handled["id"] == wish.id
    return not handled["refused"], handled["answer"]


def leave(world: World, text: str) -> None:
    document = world.platform.cluster.get("Model", "digits")
    metadata = {**document["metadata"], "annotations": {WISH: text}}
    world.platform.cluster.update({**document, "metadata": metadata})


def last_event(world: World) -> tuple[str, str]:
    event = world.sink.taken[-1]
    return event.type.rpartition(".")[2], event.data["by"]


def test_a_paused_rollout_holds_and_still_counts(canary: World) -> None:
    assert ask(canary, "pause", "v000002") == (True, "paused at 20 % by ann")
    assert last_event(canary) == ("paused", "ann")
    since = canary.time.now().isoformat()
    assert canary.status()["steering"]["pausedAt"] == since
    canary.observe("v000002", 30)
    assert canary.served() == ("v000002", 20)
    assert canary.status()["rollout"]["evidence"]["requests"] == 30
    assert ask(canary, "resume", "v000002") == (True, "resumed at 20 % by ann")
    assert canary.served() == ("v000002", 50)


def test_a_candidate_that_fails_is_rolled_back_also_while_it_is_paused(canary: World) -> None:
    ask(canary, "pause", "v000002")
    fail_canary(canary)
    assert canary.served() == ("v000001", None)
    assert "10 of 10 requests failed" in canary.status()["quarantine"]["v000002"]
    assert canary.status()["steering"]["paused"] == ""


def test_a_paused_bake_does_not_end(canary: World) -> None:
    ask(canary, "promote", "v000002", is_full=True)
    ask(canary, "pause", "v000002")
    canary.time.move(1000)
    canary.tell(TRAINING_SUCCEEDED)
    assert canary.status()["phase"] == "Baking"
    ask(canary, "resume", "v000002")
    assert canary.status()["champion"] == "v000002"


def test_promote_takes_one_step_of_a_paused_rollout_and_no_more(canary: World) -> None:
    ask(canary, "pause", "v000002")
    granted, answer = ask(canary, "promote", "v000002")
    assert granted
    assert answer.endswith("; it stays paused, by ann")
    canary.observe("v000002", 50)
    assert canary.served() == ("v000002", 50)
    ask(canary, "promote", "v000002")
    canary.time.move(1000)
    canary.tell(TRAINING_SUCCEEDED)
    assert canary.status()["phase"] == "Baking"
    ask(canary, "promote", "v000002")
    assert (canary.status()["champion"], canary.status()["steering"]["paused"]) == ("v000002", "")


def test_a_version_that_is_paused_before_it_is_ready_gets_no_traffic(world: World) -> None:
    promote_first(world)
    world.publish("v000002", 0.96)
    world.passes = 0
    world.tell(TRAINING_SUCCEEDED)
    assert world.status()["phase"] == "Deploying"
    ask(world, "pause", "v000002")
    world.passes = 2
    world.tell(TRAINING_SUCCEEDED)
    assert (world.served(), world.status()["steering"]["paused"]) == (("v000002", 0), "ann")
    assert ask(world, "promote", "v000002") == (False, "v000002 has had no traffic yet")
    ask(world, "resume", "v000002")
    assert world.served() == ("v000002", 20)


def test_promote_takes_the_next_step_without_requests(canary: World) -> None:
    granted, answer = ask(canary, "promote", "v000002")
    assert granted
    assert answer == "promoted by ann: 0 requests, 0 failed in all"
    assert canary.served() == ("v000002", 50)
    ask(canary, "promote", "v000002")
    assert canary.status()["phase"] == "Baking"
    ask(canary, "promote", "v000002")
    assert canary.status()["champion"] == "v000002"


def test_promote_full_goes_to_the_bake_at_once_and_does_not_skip_it(canary: World) -> None:
    assert ask(canary, "promote", "v000002", is_full=True)[0]
    assert (canary.status()["phase"], canary.served()) == ("Baking", ("v000002", None))
    granted, answer = ask(canary, "promote", "v000002", is_full=True)
    assert not granted
    assert "has all traffic already" in answer
    assert canary.status()["phase"] == "Baking"


def test_abort_rolls_back_and_says_who_did_it(canary: World) -> None:
    assert ask(canary, "abort", "v000002")[0]
    canary.tell(TRAINING_SUCCEEDED)
    assert canary.served() == ("v000001", None)
    assert canary.status()["quarantine"] == {"v000002": "aborted by ann"}
    assert canary.records()[-1] == "2 Rollback 0"


def test_a_wish_about_another_candidate_than_the_one_that_was_seen_is_refused(canary: World) -> None:
    granted, answer = ask(canary, "abort", "v000003")
    assert (granted, answer) == (False, "v000002 is on trial, not v000003")
    assert canary.served() == ("v000002", 20)
    assert last_event(canary) == ("refused", "ann")
    canary.observe("v000002", 20)
    assert canary.served() == ("v000002", 50), "and the rollout goes on, with each of its records"
    assert canary.records()[4:] == ["2 Start 0", "2 Shift 20", "2 Refuse 20", "2 Shift 50"]


def test_without_a_trial_there_is_nothing_to_hold(world: World) -> None:
    assert ask(world, "pause") == (False, "no version is on trial")
    promote_first(world)
    assert ask(world, "abort") == (False, "no version is on trial")
    assert world.records()[-1] == "1 Refuse 100"


def test_the_verdict_stays_when_a_wish_is_refused_or_a_version_approved(canary: World) -> None:
    promote_canary(canary)
    promoted = verdict(canary)
    assert promoted[::2] == ("Promoted", "v000002")
    for verb, version in (("pause", ""), ("abort", ""), ("approve", "v000001"), ("promote", "")):
        ask(canary, verb, version)
        assert verdict(canary) == promoted
    assert canary.reasons()[-1] == "ann asked to promote; refused: no version is on trial"
    assert read_rollout(canary.platform, "digits").is_over
    forget(canary)
    assert verdict(canary) == promoted, "the records say it, too"


def verdict(world: World) -> tuple[str, str, str]:
    found = find_model(world.platform, "digits").verdict
    return found.name, found.reason, found.version


def test_undo_brings_the_previous_version_back_past_the_gate(canary: World) -> None:
    """Also if it is much worse; and what it replaces does not come right back."""
    promote_canary(canary)
    assert ask(canary, "undo") == (True, "undone by ann: v000002 is replaced")
    assert canary.served() == ("v000001", 20)
    ask(canary, "promote", "v000001", is_full=True)
    ask(canary, "promote", "v000001")
    assert (canary.status()["champion"], canary.status()["previous"]) == ("v000001", "v000002")
    asks_for(canary, "v000002")
    assert (canary.status()["champion"], canary.status()["phase"]) == ("v000001", "Idle")


def test_data_that_asks_for_another_version_ends_an_undo(canary: World) -> None:
    promote_canary(canary)
    ask(canary, "undo")
    ask(canary, "promote", "v000001", is_full=True)
    ask(canary, "promote", "v000001")
    asks_for(canary, "v000009")
    asks_for(canary, "v000002")
    assert canary.served() == ("v000002", 20)


def asks_for(world: World, run: str) -> None:
    """The data in the bucket asks for a run, which is named after its version."""
    document = world.platform.cluster.get("Model", "digits")
    status = {**document["status"], "dataset": {"run": run}}
    world.platform.cluster.update({**document, "status": status}, status=True)
    world.tell(TRAINING_SUCCEEDED)


@pytest.mark.parametrize("is_new", [False, True])
@pytest.mark.parametrize("verbs", [["undo", "abort", "retry v000002"], ["undo"]])
def test_a_version_that_came_back_by_hand_returns_by_itself_once_it_is_repaired(
    canary: World, verbs: list[str], is_new: bool
) -> None:
    """Also if the Model was applied anew meanwhile."""
    promote_canary(canary)
    ask(canary, "undo")
    take_all_steps(canary, "v000001")
    for verb in verbs:
        assert ask(canary, *verb.split())[0]
    take_all_steps(canary, "v000002")
    falls_back_until_repaired(canary, "v000002", is_new=is_new)


@pytest.mark.parametrize("is_new", [False, True])
def test_so_does_one_that_serves_on_because_its_undo_was_aborted(canary: World, is_new: bool) -> None:
    promote_canary(canary)
    canary.publish("v000003", 0.96)
    canary.tell(TRAINING_SUCCEEDED)
    take_all_steps(canary, "v000003")
    ask(canary, "undo", "v000001")
    ask(canary, "abort")
    falls_back_until_repaired(canary, "v000003", is_new=is_new)


def falls_back_until_repaired(world: World, version: str, *, is_new: bool) -> None:
    asks_for(world, version)
    repair = damage(world, version)
    asks_for(world, version)
    assert world.status()["fallen"].keys() == {version}
    assert world.status()["champion"] < version
    if is_new:
        forget(world)
    repair()
    asks_for(world, version)
    assert world.served() == (version, 20)
    assert version not in world.status()["quarantine"]


@pytest.mark.parametrize("is_new", [False, True])
def test_an_earlier_champion_whose_trial_was_aborted_can_still_serve(canary: World, is_new: bool) -> None:
    """It takes the place of a damaged champion, or is brought back, but is not tried by itself."""
    promote_canary(canary)
    for _ in range(2):
        assert ask(canary, "undo", "v000001")[0]
        assert canary.status()["candidate"] == "v000001"
        assert ask(canary, "abort")[0]
        asks_for(canary, "v000001")
    assert (canary.served(), list(canary.status()["quarantine"])) == (("v000002", None), ["v000001"])
    if is_new:
        forget(canary)
    canary.time.move(1)
    damage(canary, "v000002")
    canary.tell(TRAINING_SUCCEEDED)
    status = canary.status()
    assert (status["champion"], list(status["quarantine"])) == ("v000001", ["v000002"])
    if is_new:
        forget(canary)
        assert list(canary.status()["quarantine"]) == ["v000002"]


def test_an_earlier_champion_that_failed_its_trial_cannot(canary: World) -> None:
    promote_canary(canary)
    ask(canary, "undo", "v000001")
    canary.observe("v000002", 10_000)
    canary.observe("v000001", 40, errors=20)
    damage(canary, "v000002")
    canary.tell(TRAINING_SUCCEEDED)
    assert canary.status()["champion"] == "v000002"
    assert "v000001 cannot take its place: 20 of 20 requests failed" in canary.status()["damage"]


def test_a_damaged_version_is_not_tried_before_its_files_are_back(canary: World) -> None:
    promote_canary(canary)
    repair = damage(canary, "v000002")
    canary.tell(TRAINING_SUCCEEDED)
    for verb in ("retry", "undo", "approve"):
        granted, answer = ask(canary, verb, "v000002")
        assert not granted
        assert "samples.json" in answer
        assert answer.endswith("; put the files back; then it returns by itself")
    assert canary.served() == ("v000001", None)
    repair()
    canary.tell(TRAINING_SUCCEEDED)
    assert canary.served() == ("v000002", 20)


def test_a_version_of_wrong_bytes_is_not_tried_again_if_it_never_served(canary: World) -> None:
    ask(canary, "abort", "v000002")
    damage(canary, "v000002")
    granted, answer = ask(canary, "retry", "v000002")
    assert not granted
    assert "samples.json" in answer
    assert canary.status()["quarantine"] == {"v000002": "aborted by ann"}


def test_undo_goes_only_to_a_version_that_has_been_the_champion(canary: World) -> None:
    promote_canary(canary)
    for version in ("v000003", "v000004"):
        canary.publish(version, 0.96)
    canary.tell(TRAINING_SUCCEEDED)
    take_all_steps(canary, "v000004")
    granted, answer = ask(canary, "undo", "v000003")
    assert not granted
    assert answer == "v000003 has never been the champion, and undo goes back only to one that was"
    assert ask(canary, "undo", "v000001")[0], "which is not the one before"


def damage(world: World, version: str) -> Callable[[], None]:
    """Write other bytes into a file of the version; what puts the right ones back."""
    store, uri = world.platform.store, f"s3://knoll-models/models/digits/{version}/samples.json"
    right = store.get(uri)
    store.put(uri, b"[]")

    def repair() -> None:
        store.put(uri, right)

    return repair


def take_all_steps(world: World, version: str) -> None:
    for is_full in (True, False):
        assert ask(world, "promote", version, is_full=is_full)[0]
    assert world.status()["champion"] == version


def test_undo_wants_a_version_that_is_there_and_whole(canary: World) -> None:
    promote_canary(canary)
    assert "there is no version v000009" in ask(canary, "undo", "v000009")[1]
    assert ask(canary, "undo", "../evil") == (False, "../evil is no version")
    assert ask(canary, "undo", "v000002") == (False, "v000002 serves already")
    canary.platform.store.put("s3://knoll-models/models/digits/v000001/samples.json", b"[]")
    granted, answer = ask(canary, "undo", "v000001")
    assert not granted
    assert "samples.json" in answer
    assert canary.served() == ("v000002", None)


def test_retry_lifts_a_quarantine_and_the_gate_still_counts(canary: World) -> None:
    ask(canary, "abort", "v000002")
    canary.tell(TRAINING_SUCCEEDED)
    assert ask(canary, "undo", "v000002")[1].startswith("v000002 is in quarantine: aborted by ann")
    granted, answer = ask(canary, "retry", "v000002")
    assert (granted, answer) == (True, "tried again by ann: the gate is passed")
    assert (canary.served(), canary.status()["quarantine"]) == (("v000002", 20), {})
    ask(canary, "abort", "v000002")
    canary.tell(TRAINING_SUCCEEDED)
    canary.publish("v000003", 0.5)
    canary.tell(TRAINING_SUCCEEDED)
    granted, answer = ask(canary, "retry", "v000003")
    assert not granted
    assert "v000003 is refused again: accuracy is 0.5" in answer


def test_a_quarantine_ends_after_its_time(canary: World) -> None:
    document = canary.platform.cluster.get("Model", "digits")
    canary.platform.cluster.update(with_policy(document, quarantine="1h"))
    ask(canary, "abort", "v000002")
    canary.tell(TRAINING_SUCCEEDED)
    since = canary.status()["steering"]["quarantinedAt"]
    assert list(since) == ["v000002"]
    canary.time.move(3590)
    canary.tell(TRAINING_SUCCEEDED)
    assert canary.status()["phase"] == "Idle"
    assert canary.status()["steering"]["quarantinedAt"] == since
    canary.time.move(20)
    canary.tell(TRAINING_SUCCEEDED)
    assert (canary.served(), canary.status()["quarantine"]) == (("v000002", 20), {})


def test_the_time_of_a_quarantine_begins_anew_each_time(canary: World) -> None:
    document = canary.platform.cluster.get("Model", "digits")
    canary.platform.cluster.update(with_policy(document, quarantine="1h"))
    ask(canary, "abort", "v000002")
    canary.time.move(3500)
    ask(canary, "retry", "v000002")
    fail_canary(canary)
    canary.time.move(3500)
    canary.tell(TRAINING_SUCCEEDED)
    assert (list(canary.status()["quarantine"]), canary.status()["phase"]) == (["v000002"], "Idle")


def test_by_default_a_quarantine_never_ends(canary: World) -> None:
    ask(canary, "abort", "v000002")
    canary.time.move(10**8)
    canary.tell(TRAINING_SUCCEEDED)
    canary.tell(TRAINING_SUCCEEDED)
    assert canary.served() == ("v000001", None)


def test_an_approval_is_kept_in_the_slot(canary: World) -> None:
    assert ask(canary, "approve", "v000002") == (True, "v000002 approved by ann")
    assert canary.status()["steering"]["approved"] == {"v000002": "ann"}
    assert ask(canary, "approve", "v000002") == (False, "v000002 is approved already")


def test_a_version_that_serves_needs_no_approval(canary: World) -> None:
    assert ask(canary, "approve", "v000001") == (False, "v000001 serves already")
    assert canary.status()["steering"]["approved"] == {}


def test_a_wish_is_carried_out_once_however_often_it_is_seen(canary: World) -> None:
    ask(canary, "promote", "v000002")
    for _ in range(3):
        canary.tell(TRAINING_SUCCEEDED)
    assert canary.served() == ("v000002", 50)
    wished = [one for one in list_steps("digits", canary.platform.bucket) if one.wish]
    assert [(one.action, one.by) for one in wished] == [("Shift", "ann")]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"id": "1"}',
        '{"id": 7, "verb": "abort"}',
        json.dumps({"id": "x" * 999, "verb": "abort"}),
        '{"id": "1", "verb": "promote", "is_full": "false"}',
        '{"id": "1", "verb": "abort", "schema": true}',
        '{"id": "1", "verb": "hasten"}',
    ],
)
def test_a_wish_that_cannot_be_read_is_refused_once(canary: World, text: str) -> None:
    leave(canary, text)
    for _ in range(2):
        canary.tell(TRAINING_SUCCEEDED)
    assert canary.status()["steering"]["wish"]["refused"]
    assert canary.records()[4:] == ["2 Start 0", "2 Shift 20", "2 Refuse 20"]


def test_a_field_of_a_wish_that_is_not_known_is_passed_over(canary: World) -> None:
    leave(canary, json.dumps({"id": "1", "verb": "abort", "by": "ann", "since7": {"deep": [1]}}))
    canary.tell(TRAINING_SUCCEEDED)
    assert canary.status()["steering"]["wish"] == {"id": "1", "answer": "aborted by ann", "refused": False}


NEWER = json.dumps({"id": "7", "verb": ["hasten"], "schema": 2, "needs": "7.3"})


def test_a_wish_of_a_newer_knoll_is_left_to_it_and_the_trial_goes_on(canary: World) -> None:
    leave(canary, NEWER)
    with pytest.raises(NewerSchema, match="the wish for model digits has schema 2") as told:
        canary.observe("v000002", 20)
    assert "use knoll 7.3 or a newer one" in told.value.fix
    assert canary.served() == ("v000002", 50)
    assert canary.status()["steering"]["wish"]["id"] == ""
    for wake in (changed, tick):
        with pytest.raises(NewerSchema):
            wake(canary)
    document = canary.platform.cluster.get("Model", "digits")
    handled = {"steering": {"wish": {"id": "7", "answer": "hastened", "refused": False}}}
    status = {**document["status"], **handled}
    canary.platform.cluster.update({**document, "status": status}, status=True)
    tick(canary)
    changed(canary)


def tick(world: World) -> None:
    handler.sweep(new_event(TICK, source="/test", time=world.time.now()), world.platform)


def test_a_wish_of_a_newer_knoll_waits_also_while_nothing_is_on_trial(canary: World) -> None:
    promote_canary(canary)
    leave(canary, NEWER)
    with pytest.raises(NewerSchema):
        canary.tell(TRAINING_SUCCEEDED)
    assert canary.served() == ("v000002", None)
    assert canary.status()["steering"]["wish"]["id"] == ""


def test_a_model_that_was_deleted_remembers_what_was_undone(canary: World) -> None:
    promote_canary(canary)
    ask(canary, "undo")
    ask(canary, "promote", "v000001", is_full=True)
    ask(canary, "promote", "v000001")
    forget(canary)
    asks_for(canary, "v000002")
    assert (canary.status()["champion"], canary.status()["phase"]) == ("v000001", "Idle")


def forget(world: World) -> None:
    """The Model is deleted, and applied again."""
    document = world.platform.cluster.get("Model", "digits")
    world.platform.cluster.delete("Model", "digits")
    world.platform.cluster.create({**document, "metadata": {"name": "digits"}})
    world.tell(TRAINING_SUCCEEDED)


def test_a_wish_that_another_function_has_handled_meanwhile_is_not_repeated(canary: World) -> None:
    """Both read the same Model; the second write meets a Conflict."""
    wish = new_wish("promote", "v000002", "ann", "now")
    leave(canary, wish.encode())
    stale = canary.platform.cluster.get("Model", "digits")
    canary.tell(TRAINING_SUCCEEDED)
    with pytest.raises(Conflict):
        canary.platform.cluster.update({**stale, "status": {}}, status=True)
    assert canary.served() == ("v000002", 50)


def changed(world: World) -> None:
    """The event of the changed Model wakes rollout."""
    document = world.platform.cluster.get("Model", "digits")
    handler.handle(object_changed(document, source="/t", time=world.time.now()), world.platform)


def test_a_wish_wakes_rollout_by_itself(canary: World) -> None:
    leave(canary, new_wish("abort", "v000002", "ann", "now").encode())
    changed(canary)
    assert canary.served() == ("v000001", 0)


def test_a_changed_spec_wakes_rollout(canary: World) -> None:
    document = canary.platform.cluster.get("Model", "digits")
    serving = {**document["spec"], "serving": {"maxReplicas": 2}}
    canary.platform.cluster.update({**document, "spec": serving})
    changed(canary)
    service = canary.service()
    assert service is not None
    assert service["spec"]["predictor"]["maxReplicas"] == 2
    assert canary.status()["observedGeneration"] == 2


def test_a_write_of_the_status_wakes_nothing(canary: World) -> None:
    """Otherwise each step of a rollout would call rollout once more."""
    canary.platform.cluster.delete("InferenceService", "digits")
    changed(canary)
    assert canary.service() is None


def test_a_model_without_a_version_wakes_nothing(world: World) -> None:
    """Otherwise ten Models that wait for data would cost twenty reads whenever ingest writes their status."""
    document = world.platform.cluster.get("Model", "digits")
    told = object_changed(document, source="/t", time=world.time.now())
    unread: Any = Mock(spec=[])
    assert handler.handle(told, replace(world.platform, cluster=unread)) is None


def test_a_wish_for_a_model_without_a_version_is_answered(world: World) -> None:
    leave(world, new_wish("promote", "v000001", "ann", "now").encode())
    changed(world)
    assert world.status()["steering"]["wish"]["refused"]


@pytest.mark.parametrize("verb", ["undo", "retry", "abort", "promote", "pause", "resume"])
def test_a_wish_about_a_version_that_was_not_tried_yet_is_answered(world: World, verb: str) -> None:
    """Nothing was decided, so the refusal has no record, and the version starts all the same."""
    world.publish("v000001", 0.95)
    assert not ask(world, verb, "v000001")[0]
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000001", None)
