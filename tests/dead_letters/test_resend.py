"""A resend causes its effect once, whatever is killed on the way; a letter that dies again keeps its whole
history."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.cluster import MemoryCluster
from knoll.adapters.memory.events import MemoryEvents
from knoll.adapters.memory.store import MemoryStore
from knoll.adapters.predictors_http import HttpPredictors
from knoll.dead_letters import handler
from knoll.dead_letters.letters import Letter, read_dead_letters, read_letter
from knoll.dead_letters.resend import drop, resend_wanted, want_resend
from knoll.errors import InvalidEvent, NewerSchema, NotFound, Rejected, StoreUnavailable, Unavailable
from knoll.events import Event
from knoll.events.http import refusal
from knoll.ports import Platform
from knoll.records.dead_letter import death_uri
from knoll.settings import Settings
from knoll.wiring.functions import answer
from knoll.wiring.stages import STAGES
from schedules.world import World

WHY = {"knativeerrordest": "http://knoll-train.knoll", "knativeerrorcode": "422", "knativeerrordata": "d2h5"}
EVENT = Event(
    "1",
    "/test",
    "dev.knoll.dataset.landed",
    "2026-01-01T00:00:00Z",
    "digits",
    {"model": "digits"},
    {"correlationid": "c"},
)
DEAD = replace(EVENT, extensions={**EVENT.extensions, **WHY, "knativearrivaltime": "2026-01-01T00:00:01Z"})
DIGITS = {
    "apiVersion": "knoll.dev/v1alpha1",
    "kind": "Model",
    "metadata": {"name": "digits"},
    "spec": {
        "family": "image-classifier",
        "dataset": {"uri": "s3://data/digits/", "landed": {"when": "marker"}},
        "gate": {"metric": "accuracy", "atLeast": 0.9},
    },
}
NOTIFICATION = json.dumps(
    {
        "Records": [
            {
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": "data"}, "object": {"key": "digits/_SUCCESS"}},
            }
        ]
    }
).encode()


@pytest.fixture
def broker() -> MemoryEvents:
    return MemoryEvents()


@pytest.fixture
def platform(broker: MemoryEvents) -> Platform:
    return Platform(
        MemoryStore(),
        MemoryCluster("default", MemoryClock(step=1)),
        broker,
        HttpPredictors(),
        MemoryClock(step=1),
        Settings(home=Path("/nowhere")),
    )


def letters(platform: Platform) -> list[Letter]:
    return read_dead_letters(platform.bucket)


def only(platform: Platform) -> Letter:
    (letter,) = letters(platform)
    return letter


def tick(platform: Platform) -> None:
    resend_wanted(platform, _no_body)


def _no_body(meant_for: str, headers: Mapping[str, str], body: bytes) -> None:
    raise AssertionError(f"{headers} {body!r} for {meant_for!r} is no event")


def test_a_resend_publishes_the_event_as_it_was_sent_once(platform: Platform, broker: MemoryEvents) -> None:
    """With its id and source, so that handlers know it, and without what the broker has added; asked for
    twice it is one resend."""
    handler.handle(DEAD, platform)
    asked = [want_resend(only(platform), "alice", platform) for _ in range(2)]
    assert (asked, only(platform).state) == ([True, False], "Wanted")
    tick(platform)
    tick(platform)
    letter = only(platform)
    assert broker.taken == [
        replace(EVENT, extensions={"correlationid": "c", "knollreplay": f"{letter.id}.1"})
    ]
    assert (letter.state, [(one.number, one.by) for one in letter.resends]) == ("Replayed", [(1, "alice")])


def test_what_a_function_did_not_take_has_its_effect_once_when_it_is_resent() -> None:
    """The marker's event dies, is resent by a tick that is killed before it can say so, and by another: one
    run, one Job."""
    world = World({"digits": DIGITS})
    world.write("digits", "1.txt", b"1")
    world.mark("digits")
    lost = world.feed[-1].event
    world.feed.clear()
    handler.handle(replace(lost, extensions=WHY), world.platform)
    want_resend(only(world.platform), "alice", world.platform)
    with pytest.raises(Killed):
        tick(replace(world.platform, store=_Port(world.store, Mortal(7, "before"))))
    assert (len(world.feed), only(world.platform).state) == (1, "Wanted")
    tick(world.platform)
    assert [delivery.event.id for delivery in world.feed] == [lost.id, lost.id]
    while world.feed:
        world.deliver(0)
    runs = list(world.store.list("s3://knoll-models/runs/"))
    assert (len(runs), len(world.cluster.list("Job")), only(world.platform).state) == (1, 1, "Replayed")


def test_the_reason_of_a_death_is_the_error_that_a_function_answered(platform: Platform) -> None:
    answered = base64.b64encode(refusal(422, 'no "weights"').body).decode()
    handler.handle(replace(DEAD, extensions={**DEAD.extensions, "knativeerrordata": answered}), platform)
    assert only(platform).last.reason == 'no "weights"'


def test_a_letter_that_dies_again_keeps_every_death_and_every_resend(
    platform: Platform, broker: MemoryEvents
) -> None:
    """The same death delivered again counts once, in the order of the deaths; the letter is dead until a
    resend is taken for good."""
    handler.handle(DEAD, platform)
    handler.handle(DEAD, platform)
    for _ in range(2):
        want_resend(only(platform), "alice", platform)
        tick(platform)
        again = replace(broker.taken[-1], extensions={**broker.taken[-1].extensions, **WHY})
        for arrived in (
            "2026-01-01T00:01:00Z",
            "2026-01-01T00:01:01Z",
        ):  # published twice, because the sweep was killed in between
            handler.handle(
                replace(again, extensions={**again.extensions, "knativearrivaltime": arrived}), platform
            )
        assert only(platform).state == "Dead"
    letter = only(platform)
    assert [one.resend for one in letter.deaths] == ["", f"{letter.id}.1", f"{letter.id}.2"]
    assert {(one.reason, one.code, one.destination) for one in letter.deaths} == {
        ("why", "422", "knoll-train")
    }
    want_resend(letter, "alice", platform)
    tick(platform)
    assert (only(platform).state, len(only(platform).resends)) == ("Replayed", 3)


@pytest.mark.parametrize("arrived", [{}, {"knativearrivaltime": "2026-01-01T00:09:00Z"}])
def test_an_event_that_is_sent_and_dies_anew_after_a_resend_is_dead(
    platform: Platform, arrived: dict[str, str]
) -> None:
    """Also when no broker tells when it arrived."""
    dead = replace(EVENT, extensions={**WHY, **arrived})
    handler.handle(dead, platform)
    want_resend(only(platform), "alice", platform)
    tick(platform)
    handler.handle(
        replace(EVENT, extensions={**WHY, **(arrived and {"knativearrivaltime": "2026-01-01T00:10:00Z"})}),
        platform,
    )
    assert (only(platform).state, len(only(platform).deaths)) == ("Dead", 2)


def test_the_same_letter_is_one_whatever_the_uid_of_its_trigger(platform: Platform) -> None:
    """And two events that share an id by mistake are two letters: nothing is lost."""
    for uid in ("0b0e", "1c1f"):
        url = f"http://broker-filter.knative-eventing.svc.cluster.local/triggers/knoll/knoll-train/{uid}"
        handler.handle(replace(DEAD, extensions={**WHY, "knativeerrordest": url}), platform)
    handler.handle(replace(DEAD, data={"model": "cats"}), platform)
    assert [(len(one.deaths), one.last.destination) for one in letters(platform)] == [
        (1, "knoll-train"),
        (1, "knoll-train"),
    ]


def test_a_body_of_a_store_is_given_to_ingest_again(platform: Platform, broker: MemoryEvents) -> None:
    """Refused again it is one more death; what then comes of it is published."""
    for _ in range(2):
        assert answer("ingest", {}, b'{"Records": [{}]}', platform).status == 422
    assert len(only(platform).deaths) == 1
    want_resend(only(platform), "alice", platform)
    STAGES["sweep"].handle(EVENT, platform)
    assert ([one.resend for one in only(platform).deaths], broker.taken) == (
        ["", f"{only(platform).id}.1"],
        [],
    )
    platform.cluster.create(DIGITS)
    handler.keep_body({}, NOTIFICATION, "knoll was too old to read it", platform, meant_for="ingest")
    want_resend(letters(platform)[-1], "alice", platform)
    STAGES["sweep"].handle(EVENT, platform)
    STAGES["sweep"].handle(EVENT, platform)
    assert [one.data["s3"]["object"]["key"] for one in broker.taken] == ["digits/_SUCCESS"]


@pytest.mark.parametrize(
    ("meant_for", "reason"),
    [
        ("train", "not a CloudEvent"),
        ("newer", "has no function 'newer'"),
        ("sweep", "no tick is resent"),
    ],
)
def test_a_body_goes_to_the_stage_that_it_was_meant_for(
    meant_for: str, reason: str, platform: Platform, broker: MemoryEvents
) -> None:
    """Ingest would take this notification; the others refuse it, and that is one more death."""
    handler.keep_body({}, NOTIFICATION, "why", platform, meant_for=meant_for)
    platform.cluster.create(DIGITS)
    want_resend(only(platform), "alice", platform)
    STAGES["sweep"].handle(EVENT, platform)
    assert (len(only(platform).deaths), broker.taken) == (2, [])
    assert reason in only(platform).last.reason


def test_what_nobody_was_meant_to_get_cannot_be_resent(platform: Platform) -> None:
    """The error names the way out."""
    handler.keep_body({"content-type": "text/plain"}, b"hello", "the data is not JSON", platform)
    with pytest.raises(Rejected, match="is not an event") as error:
        want_resend(only(platform), "alice", platform)
    assert "knoll dlq show" in error.value.fix


def test_a_broker_that_is_down_delays_a_resend_and_no_other(platform: Platform, broker: MemoryEvents) -> None:
    """What is wanted stays so, until the broker takes it."""
    handler.handle(DEAD, platform)
    handler.handle(replace(DEAD, id="2"), platform)
    first, second = letters(platform)
    for one in (first, second):
        want_resend(one, "alice", platform)

    def refuse_the_first(event: Event) -> None:
        if event.id == "1":
            raise Unavailable("later")

    with pytest.raises(Unavailable):
        tick(replace(platform, events=MemoryEvents(broker.taken, refuse_the_first)))
    assert [(one.last.event and one.last.event.id, one.state) for one in letters(platform)] == [
        ("1", "Wanted"),
        ("2", "Replayed"),
    ]
    tick(platform)
    assert [event.id for event in broker.taken] == ["2", "1"]


def test_a_slow_broker_gets_in_one_tick_what_it_takes_in_some_seconds(platform: Platform) -> None:
    """The next tick goes on: the broker of the tick does not wait for ever."""
    clock, taken = MemoryClock(), list[Event]()
    slow = replace(platform, clock=clock, events=MemoryEvents(taken, lambda _: clock.move(6)))
    for id in "1234":
        handler.handle(replace(DEAD, id=id), slow)
        want_resend(next(one for one in letters(slow) if one.state == "Dead"), "alice", slow)
    tick(slow)
    assert len(taken) == 2
    tick(slow)
    assert sorted(event.id for event in taken) == [*"1234"]


def test_what_is_dropped_is_gone_and_is_not_resent(platform: Platform, broker: MemoryEvents) -> None:
    """With its history and what was wanted of it."""
    handler.handle(DEAD, platform)
    want_resend(only(platform), "alice", platform)
    tick(platform)
    want_resend(only(platform), "alice", platform)
    drop(only(platform).id, platform)
    tick(platform)
    assert (list(platform.store.list("s3://knoll-models/")), len(broker.taken)) == ([], 1)
    with pytest.raises(NotFound):
        read_letter("0" * 20, platform.bucket)


def test_what_somebody_else_has_written_there_is_left_alone(platform: Platform) -> None:
    for name in ("dead-letters/README", f"dead-letters/{'0' * 20}/replay-000001.json", "replays/odd"):
        platform.store.put(f"s3://knoll-models/{name}", b"{}")
    tick(platform)
    assert (letters(platform), len(list(platform.store.list("s3://knoll-models/")))) == ([], 3)


def test_a_letter_that_somebody_has_spoilt_hides_no_other(platform: Platform) -> None:
    handler.handle(DEAD, platform)
    platform.store.put(death_uri(platform.settings.model_root, "0" * 20, "1" * 20), b'{"at"')
    (letter,) = letters(platform)
    assert letter.last.event == DEAD
    with pytest.raises(InvalidEvent, match="dead letter 0000"):
        read_letter("0" * 20, platform.bucket)


def test_a_letter_that_only_a_newer_knoll_reads_hides_no_other(platform: Platform) -> None:
    """As during an upgrade; its resend waits for the newer one."""
    handler.handle(DEAD, platform)
    platform.store.put(death_uri(platform.bucket.root, "0" * 20, "1" * 20), b'{"schema": 9, "needs": "7.3"}')
    assert only(platform).last.event == DEAD
    with pytest.raises(NewerSchema, match="schema 9"):
        read_letter("0" * 20, platform.bucket)


class Killed(BaseException):
    """The end of the process."""


@dataclass
class Mortal:
    """Every port of a process that ends at its n-th call, right before it, right after it, or is told that
    nobody answered."""

    at: int
    how: str
    calls: int = 0

    def platform(self, world: Platform) -> Platform:
        return replace(world, store=_Port(world.store, self), events=_Port(world.events, self))

    def call(self, act: Callable[..., Any], *given: Any, **options: Any) -> Any:
        self.calls += 1
        if self.calls != self.at:
            return act(*given, **options)
        if self.how != "before":
            act(*given, **options)
        raise StoreUnavailable("the answer got lost") if self.how == "lost" else Killed


@dataclass(frozen=True)
class _Port:
    real: Any
    process: Mortal

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *given, **options: self.process.call(getattr(self.real, name), *given, **options)


@pytest.mark.parametrize("how", ["before", "after", "lost"])
def test_whatever_is_killed_a_resend_neither_gets_lost_nor_works_twice(
    how: str, broker: MemoryEvents, platform: Platform
) -> None:
    """At every call of a port: of who asks for it, of the tick that does it, and of the function that is told
    when it dies again."""
    ended = 0
    for at in range(1, 30):
        world = replace(platform, store=MemoryStore(), events=MemoryEvents())
        process = Mortal(at, how)
        try:
            _story(process.platform(world))
            ended += 1
        except (Killed, StoreUnavailable):
            _story(world)
        taken: list[Event] = world.events.taken  # type: ignore[attr-defined]
        effects = {(event.id, event.source, event.extensions["knollreplay"]) for event in taken}
        letter = only(world)
        assert effects == {("1", "/test", f"{letter.id}.1")}, f"{how} call {at}"
        assert (letter.state, len(letter.deaths), len(letter.resends)) == ("Dead", 2, 1), f"{how} call {at}"
        drop_again(world, at, how)
    assert ended > 5, "the story has more calls than were tried"


def _story(platform: Platform) -> None:
    """An event dies, is resent, and dies again; each step is begun anew until it is done, as a broker, a
    tick and a user begin it."""
    handler.handle(DEAD, platform)
    letter = only(platform)
    if not letter.resends:
        want_resend(letter, "alice", platform)
    tick(platform)
    letter = only(platform)
    extensions = {"correlationid": "c", "knollreplay": f"{letter.id}.1", **WHY}
    handler.handle(replace(EVENT, extensions=extensions), platform)


def drop_again(world: Platform, at: int, how: str) -> None:
    """Whatever kills a drop, a second one ends it."""
    id = only(world).id
    try:
        drop(id, Mortal(at, how).platform(world))
    except (Killed, StoreUnavailable):
        drop(id, world)
    assert list(world.store.list("s3://knoll-models/")) == []
