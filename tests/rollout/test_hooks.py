"""Hooks are asked before a version starts, gets more traffic, or bakes; and whether it shall go."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.hooks import MemoryHooks
from knoll.errors import InvalidModel
from knoll.events import HOOK_ANSWERED, TRAINING_SUCCEEDED, Event
from knoll.hooks import HookAnswer, HookRequest
from knoll.kube.annotations import ROLLOUT_WISH
from knoll.models import RolloutSpec, parse_model
from knoll.models.hooks import HookSpec
from knoll.records.rollout import list_steps
from knoll.rollout import handler
from knoll.rollout.due import due_at
from knoll.rollout.hooks import (
    Abort,
    Ask,
    Go,
    Hooked,
    HookWait,
    after_answer,
    hooked_fields,
    next_question,
    question_id,
    read_hooked,
)
from knoll.rollout.memory import slot_from_records
from knoll.rollout.replay import CALL_TIME
from knoll.rollout.slot import Slot
from knoll.rollout.wishes import new_wish
from knoll.views.models import find_model
from knoll.views.rollouts import read_rollout
from rollout.test_steering import ask
from rollout.world import MODEL, World, make_world, promote_first, with_policy
from support.documented import undocumented

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
URL = "http://hooks.test/rollouts?token=secret"
YES, NO, SILENT = (
    HookAnswer(204, ""),
    HookAnswer(409, "not before\nMonday \x1b[2J"),
    HookAnswer(0, "no route"),
)


def hook(type: str = "confirm-step", **fields: Any) -> HookSpec:
    return HookSpec.model_validate({"type": type, "url": URL, **fields})


def asked(*answers: HookAnswer, hook: HookSpec, apart: float = 600.0) -> Hooked:
    """The state after these answers."""
    state = Hooked("t")
    for number, answer in enumerate(answers):
        state = after_answer(state, hook, answer, (NOW + timedelta(seconds=number * apart)).isoformat())
    return state


@pytest.mark.parametrize(
    ("answers", "on_timeout", "follows"),
    [
        ([], "wait", Ask),
        ([YES], "wait", Go),
        ([HookAnswer(200, "fine")], "wait", Go),
        ([NO], "wait", HookWait),
        ([NO] * 5, "abort", HookWait),
        ([SILENT] * 5, "wait", HookWait),
        ([SILENT] * 2, "abort", HookWait),
        ([SILENT] * 3, "abort", Abort),
        ([SILENT, SILENT, NO, SILENT], "abort", HookWait),
        ([SILENT] * 3, "go", Go),
        ([HookAnswer(status, "") for status in (500, 302, 404)], "go", Go),
    ],
)
def test_what_follows_from_answers(answers: list[HookAnswer], on_timeout: str, follows: type) -> None:
    """Only 2xx is a yes, and only 403 and 409 are a no. Three times no answer are a time-out."""
    one = hook(onTimeout=on_timeout)
    state = asked(*answers, hook=one)
    now = datetime.fromisoformat(state.at) if state.at else NOW
    found, _ = next_question(state, [one], now)
    assert isinstance(found, follows)


def test_all_hooks_must_agree_one_after_the_other() -> None:
    first, second = hook(), hook(url="http://second.test/", onTimeout="go")
    state = after_answer(Hooked("t"), first, YES, NOW.isoformat())
    assert next_question(state, [first, second], NOW)[0] == Ask(second)
    mute = replace(asked(*[SILENT] * 3, hook=second), agreed=1)
    assert isinstance(next_question(mute, [first, second], NOW)[0], Go)
    third = hook(url="http://third.test/")
    assert next_question(mute, [first, second, third], NOW)[0] == Ask(third)


def test_a_hook_is_asked_again_ever_more_rarely() -> None:
    one, pauses = hook(), []
    for tries in range(1, 9):
        state = asked(*[NO] * tries, hook=one)
        assert state.due is not None
        pauses.append((state.due - datetime.fromisoformat(state.at)).total_seconds())
        assert isinstance(next_question(state, [one], state.due - timedelta(seconds=1))[0], HookWait)
        assert next_question(state, [one], state.due)[0] == Ask(one)
    assert pauses == [10, 20, 40, 80, 160, 300, 300, 300]


def test_what_a_hook_says_is_one_short_line_without_its_secret() -> None:
    said = asked(NO, hook=hook()).said
    assert said == (
        "the hook confirm-step at http://hooks.test/rollouts says no (409): not before Monday \\x1b[2J"
    )
    assert len(asked(HookAnswer(403, "x" * 9000), hook=hook()).said) < 300


def test_what_hooks_said_is_kept_in_the_status_and_a_newer_transition_asks_anew() -> None:
    of_rollback: dict[str, Any] = {"rollback_at": NOW.isoformat(), "rollback_next": 2}
    state = replace(asked(NO, SILENT, hook=hook()), agreed=1, **of_rollback)
    assert read_hooked(json.loads(json.dumps(hooked_fields(state)))) == state
    assert state.about_to("t") is state
    assert state.about_to("u") == Hooked("u", **of_rollback)
    assert state.with_yes() == Hooked("t", 2, **of_rollback)
    assert read_hooked(None) == Hooked()


def test_the_same_question_has_the_same_id() -> None:
    assert question_id("uid", "v000002", 3) == question_id("uid", "v000002", 3)
    assert question_id("uid", "v000002", 3) != question_id("uid", "v000002", 4)


def test_a_hook_is_asked_again_when_it_is_due_though_nothing_happens() -> None:
    policy = RolloutSpec.model_validate({"hooks": [{"type": "rollback", "url": URL}]})
    slot = Slot(champion="v000001", candidate="v000002", phase="Baking", since=NOW.isoformat())
    later = NOW + timedelta(seconds=400)  # the bake is over
    waits = replace(slot, hooked=replace(Hooked("t"), said="no", tries=2, at=later.isoformat()))
    due = due_at(waits, policy, later)
    assert due is not None
    assert round((due - later).total_seconds()) == 20
    polled = replace(slot, hooked=Hooked(rollback_at=later.isoformat()))
    due = due_at(polled, policy, later)
    assert due is not None
    assert round((due - later).total_seconds()) == 10


@pytest.mark.parametrize(
    "url",
    [
        "ftp://hooks.test/",
        "hooks.test",
        "http://",
        "http://ann:pw@hooks.test/",
        "http://hooks.test/#x",
        "http://hooks.test/ x",
        "http://hooks.test/\n",
        "http://[::1/",
        "http://hooks.test/" + "x" * 2048,
    ],
)
def test_only_an_address_of_the_web_is_a_url(url: str) -> None:
    with pytest.raises(InvalidModel, match=r"spec\.rollout\.hooks\.0\.url"):
        parse_model(with_policy(MODEL, hooks=[{"type": "rollback", "url": url}]))


@dataclass
class SilentHooks(MemoryHooks):
    """Hooks of which those without an answer take all the time that they get."""

    clock: MemoryClock = field(default_factory=MemoryClock)

    def ask(self, request: HookRequest) -> HookAnswer:
        answer = super().ask(request)
        self.clock.move(0 if answer.status else request.seconds)
        return answer


def hooks_of(world: World) -> MemoryHooks:
    assert isinstance(world.platform.hooks, MemoryHooks)
    return world.platform.hooks


def hooked_world(folder: Path, *hooks: dict[str, Any]) -> World:
    """The champion v000001, the trained v000002, and these hooks."""
    world = make_world(folder)
    promote_first(world)
    document = world.platform.cluster.get("Model", "digits")
    world.platform.cluster.update(with_policy(document, hooks=list(hooks)))
    world.publish("v000002", 0.96)
    return world


def questions(world: World) -> list[tuple[str, str, int]]:
    bodies = [json.loads(one.body) for one in hooks_of(world).asked]
    return [(one["type"], one["version"], one["percent"]) for one in bodies]


def test_each_rise_of_the_traffic_needs_a_yes(tmp_path: Path) -> None:
    kinds = ("confirm-rollout", "confirm-step", "confirm-promotion")
    world = hooked_world(tmp_path, *({"type": kind, "url": URL} for kind in kinds))
    hooks_of(world).answers[URL] = YES
    world.tell(TRAINING_SUCCEEDED)
    world.observe("v000002", 20)
    world.observe("v000002", 40)
    assert world.status()["phase"] == "Baking"
    world.time.move(61)
    world.tell(TRAINING_SUCCEEDED)
    assert world.status()["champion"] == "v000002"
    assert questions(world) == [
        ("confirm-rollout", "v000002", 0),
        ("confirm-step", "v000002", 20),
        ("confirm-step", "v000002", 50),
        ("confirm-promotion", "v000002", 100),
    ]
    told = [event for event in world.sink.taken if event.type == HOOK_ANSWERED]
    assert [one.data["answer"] for one in told] == ["yes"] * 4
    assert "secret" not in json.dumps([one.data for one in told])
    assert undocumented(told) == set()


def test_a_version_starts_when_its_hook_agrees_and_the_wait_is_told(tmp_path: Path) -> None:
    world = hooked_world(tmp_path, {"type": "confirm-rollout", "url": URL})
    hooks_of(world).answers[URL] = NO
    for _ in range(3):
        world.tell(TRAINING_SUCCEEDED)
    assert (world.status()["candidate"], world.served()) == ("", ("v000001", None))
    assert len(questions(world)) == 1
    view = read_rollout(world.platform, "digits")
    assert "says no (409): not before Monday" in view.waiting
    assert not view.is_over
    hooks_of(world).answers[URL] = YES
    world.time.move(11)
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000002", 20)
    assert world.status()["rollout"]["hooks"] is None
    assert len({one.id for one in hooks_of(world).asked}) == 1


def test_a_version_whose_hook_is_silent_is_refused_if_the_policy_says_so(tmp_path: Path) -> None:
    world = hooked_world(tmp_path, {"type": "confirm-rollout", "url": URL, "onTimeout": "abort"})
    for _ in range(3):
        world.tell(TRAINING_SUCCEEDED)
        world.time.move(301)
    world.tell(TRAINING_SUCCEEDED)
    assert world.records()[-1] == "2 Reject 0"
    assert "gave no answer: nobody is there 3 times" in world.status()["quarantine"]["v000002"]


def before_start(folder: Path) -> World:
    """A hook says no to the trial of v000002."""
    world = hooked_world(folder, {"type": "confirm-rollout", "url": URL})
    hooks_of(world).answers[URL] = NO
    world.tell(TRAINING_SUCCEEDED)
    assert find_model(world.platform, "digits").standing.version == "v000002"
    return world


def test_a_human_may_begin_a_trial_without_its_hook(tmp_path: Path) -> None:
    world = before_start(tmp_path)
    assert ask(world, "pause", "v000002") == (False, "no version is on trial")
    assert ask(world, "promote", "v000003") == (False, "v000002 waits for a hook, not v000003")
    assert ask(world, "promote", "v000002", is_full=True)[0] is False
    assert ask(world, "promote", "v000002") == (
        True,
        "promoted by ann, whatever its hook says: the gate is passed",
    )
    assert world.served() == ("v000002", 20)
    begun = next(
        one for one in list_steps("digits", world.platform.bucket, "v000002") if one.action == "Start"
    )
    assert (begun.by, begun.cause, bool(begun.wish)) == ("ann", "hooks", True)
    assert slot_from_records("digits", world.platform.bucket).steering.undone == ""


def test_a_human_may_abort_a_version_before_its_hook_agrees(tmp_path: Path) -> None:
    world = before_start(tmp_path)
    world.publish("v000003", 0.97)
    assert ask(world, "abort", "v000003") == (False, "v000002 waits for a hook, not v000003")
    assert ask(world, "abort") == (True, "aborted by ann")
    assert world.status()["quarantine"] == {"v000003": "aborted by ann"}
    hooks_of(world).answers[URL] = YES
    world.time.move(301)
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000002", 20)


def test_a_version_before_its_hook_agrees_must_still_pass_the_gate(tmp_path: Path) -> None:
    world = before_start(tmp_path)
    document = world.platform.cluster.get("Model", "digits")
    spec = {**document["spec"], "gate": {**document["spec"]["gate"], "atLeast": 0.99}}
    world.platform.cluster.update({**document, "spec": spec})
    granted, answer = ask(world, "promote", "v000002")
    assert (granted, answer[:36]) == (False, "v000002 is refused: accuracy is 0.96")
    assert list(world.status()["quarantine"]) == ["v000002"]


def test_a_step_waits_for_its_hook_and_a_human_may_go_on_without_it(tmp_path: Path) -> None:
    world = hooked_world(tmp_path, {"type": "confirm-step", "url": URL})
    hooks_of(world).answers[URL] = NO
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000002", 0)
    hooks_of(world).answers[URL] = YES
    world.time.move(11)
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000002", 20)
    hooks_of(world).answers[URL] = NO
    world.observe("v000002", 20)
    assert world.served() == ("v000002", 20)
    wish = new_wish("promote", "v000002", "ann", world.time.now().isoformat())
    document = world.platform.cluster.get("Model", "digits")
    metadata = {**document["metadata"], "annotations": {ROLLOUT_WISH: wish.encode()}}
    world.platform.cluster.update({**document, "metadata": metadata})
    world.tell(TRAINING_SUCCEEDED)
    assert world.served() == ("v000002", 50)
    assert find_model(world.platform, "digits").wait is None


@pytest.mark.parametrize("phase", ["Deploying", "Canary", "Baking"])
def test_a_hook_can_ask_for_the_way_back(phase: str, tmp_path: Path) -> None:
    world = hooked_world(tmp_path, {"type": "rollback", "url": URL})
    world.passes = 0 if phase == "Deploying" else 2
    world.tell(TRAINING_SUCCEEDED)
    world.passes = 2
    if phase == "Baking":
        world.observe("v000002", 20)
        world.observe("v000002", 40)
    assert world.status()["phase"] == phase
    hooks_of(world).answers[URL] = HookAnswer(200, "the shop sells nothing")
    world.time.move(11)
    world.tell(TRAINING_SUCCEEDED)
    assert world.served()[0] == "v000001"
    assert world.status()["quarantine"]["v000002"] == (
        "the hook rollback at http://hooks.test/rollouts wants it back (200): the shop sells nothing"
    )


def test_the_way_back_is_asked_for_once_in_ten_seconds(tmp_path: Path) -> None:
    world = hooked_world(tmp_path, {"type": "rollback", "url": URL})
    for _ in range(5):
        world.tell(TRAINING_SUCCEEDED)
    assert len(questions(world)) == 1
    world.time.move(11)
    world.tell(TRAINING_SUCCEEDED)
    assert len(questions(world)) == 2


def make_silent(world: World, *urls: str) -> SilentHooks:
    """Hooks say yes at these URLs, and give no answer at others."""
    hooks = SilentHooks(dict.fromkeys(urls, YES), clock=world.time)
    world.platform = replace(world.platform, hooks=hooks)
    return hooks


def seconds_of_tick(world: World) -> float:
    """How long a tick takes; the next one comes a minute after it began."""
    began = world.time.present
    handler.sweep(Event("tick", "/test", "dev.knoll.tick", ""), world.platform)
    world.kserve()
    took = (world.time.present - began).total_seconds()
    world.time.move(60 - took)
    return took


@pytest.mark.parametrize("kind", ["rollback", "confirm-step"])
def test_ten_silent_hooks_hold_up_no_call_until_the_broker_gives_up(kind: str, tmp_path: Path) -> None:
    slow = [{"type": kind, "url": f"http://hook{number}.test/", "timeout": "30s"} for number in range(10)]
    if kind != "rollback":
        slow = [{**one, "onTimeout": "go"} for one in slow]
    world = hooked_world(tmp_path, *slow)
    hooks = make_silent(world)
    world.tell(TRAINING_SUCCEEDED)
    for _ in range(40):
        assert seconds_of_tick(world) <= CALL_TIME.total_seconds()
    assert {one.url for one in hooks.asked} == {one["url"] for one in slow}


def test_each_call_asks_the_hooks_that_the_one_before_had_no_time_for(tmp_path: Path) -> None:
    urls = [f"http://hook{number}.test/" for number in range(3)]
    world = hooked_world(tmp_path, *({"type": "rollback", "url": url, "timeout": "12s"} for url in urls))
    hooks = make_silent(world)
    world.tell(TRAINING_SUCCEEDED)
    for _ in range(5):
        seconds_of_tick(world)
    assert [one.url for one in hooks.asked][:6] == urls * 2


def test_a_silent_hook_leaves_time_for_the_others_and_for_the_rollout(tmp_path: Path) -> None:
    """Only ticks wake rollout here, and the hook takes more of each than a call has for questions."""
    slow, window = ({"type": "rollback", "url": "http://slow.test/", "timeout": "30s"}, "http://window.test/")
    world = hooked_world(tmp_path, slow, {"type": "confirm-step", "url": window})
    make_silent(world, window)
    document = world.platform.cluster.get("Model", "digits")
    world.platform.cluster.update(with_policy(document, idle="replay"))
    for _ in range(15):
        seconds_of_tick(world)
    assert world.status()["champion"] == "v000002"
