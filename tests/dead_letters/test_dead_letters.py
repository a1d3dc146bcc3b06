"""A dead letter is never lost: whatever comes is kept once, and can be read back."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from knoll.adapters.cluster_local import LocalCluster
from knoll.adapters.events_http import HttpEvents
from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.platform import memory_platform
from knoll.adapters.memory.store import MemoryStore
from knoll.adapters.predictors_http import HttpPredictors
from knoll.dead_letters import quota
from knoll.dead_letters.handler import handle, keep_body
from knoll.dead_letters.letters import read_dead_letters
from knoll.events import Event, RawData, event_from_json
from knoll.events.http import event_to_http
from knoll.events.types import OF_USERS
from knoll.ports import Bucket, Platform
from knoll.records.dead_letter import LARGEST, LetterObject, list_letter_objects, load_death
from knoll.settings import Settings
from knoll.wiring.functions import answer
from records.kinds import GOLDEN, golden_bucket

TRAIN, ROLLOUT = (
    {"knativeerrordest": f"http://knoll-{name}.knoll", "knativeerrorcode": "422"}
    for name in ("train", "rollout")
)
EVENT = Event(
    "1", "/test", "dev.knoll.dataset.landed", "2026-01-01T00:00:00Z", "digits", {"model": "digits ü"}, TRAIN
)


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    clock = MemoryClock(step=60)
    cluster = LocalCluster(tmp_path / "knoll.db", "default", clock)
    return Platform(MemoryStore(), cluster, HttpEvents(""), HttpPredictors(), clock, Settings(home=tmp_path))


def deliver(event: Event, platform: Platform) -> int:
    return answer("dead-letters", *event_to_http(event), platform).status


def test_what_users_have_asked_becomes_no_dead_letter(platform: Platform) -> None:
    """Its place in the bucket is bounded, and a dead letter stays until somebody drops it."""
    picture = RawData(b"\x89PNG", "image/png")
    for type in OF_USERS:
        assert deliver(replace(EVENT, type=type), platform) == 204
        assert deliver(replace(EVENT, type=type, data=picture), platform) == 204
    assert not read_dead_letters(platform.bucket)


def test_a_dead_letter_is_kept_once_for_each_who_did_not_take_it(platform: Platform) -> None:
    """Whole, with the reason that Knative gives, and oldest first."""
    assert [deliver(event, platform) for event in (EVENT, replace(EVENT, extensions=ROLLOUT), EVENT)] == [
        204,
        204,
        204,
    ]
    letters = read_dead_letters(platform.bucket)
    assert [[one.event for one in letter.deaths] for letter in letters] == [
        [EVENT],
        [replace(EVENT, extensions=ROLLOUT)],
    ]
    assert letters[0].last.at == "2026-01-01T00:01:00+00:00"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b""),
        ({"Content-Type": "application/cloudevents+json"}, b'{"specversion": "1.0"'),
        (
            {
                "ce-id": "1",
                "ce-source": "/test",
                "ce-type": "t",
                "ce-specversion": "1.0",
                "content-type": "text/plain",
            },
            b"\xff\x00hello",
        ),
    ],
)
def test_what_is_no_event_is_kept_as_it_came(
    headers: dict[str, str], body: bytes, platform: Platform
) -> None:
    """With the headers that tell of it, and none that may hold a secret."""
    sent = {**headers, "Authorization": "Bearer secret"}
    assert [answer("dead-letters", sent, body, platform).status for _ in range(2)] == [204, 204]
    (letter,) = read_dead_letters(platform.bucket)
    assert (len(letter.deaths), letter.last.event, letter.last.body) == (1, None, body)
    assert letter.last.headers == {name.lower(): value for name, value in headers.items()}


BINARY = {
    "ce-specversion": "1.0",
    "ce-id": "1",
    "ce-source": "/s",
    "ce-type": "com.amazonaws.s3.ObjectCreated:Put",
}
STRUCTURED = {"content-type": "application/cloudevents+json"}
WHOLE = {
    "specversion": "1.0",
    "id": "1",
    "source": "/s",
    "type": "com.amazonaws.s3.ObjectCreated:Put",
    "data": {},
}
ARRIVED = {"knativearrivaltime": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("headers", "document", "kept"),
    [
        (BINARY, {}, 1),
        (BINARY, ARRIVED, 1),
        ({**BINARY, **{f"ce-{name}": value for name, value in ARRIVED.items()}}, {}, 0),
        (STRUCTURED, WHOLE, 1),
        (STRUCTURED, {**WHOLE, "data": ARRIVED}, 1),
        (STRUCTURED, {**WHOLE, **ARRIVED}, 0),
        ({}, {"Records": [ARRIVED]}, 1),
    ],
)
def test_what_ingest_refuses_is_one_dead_letter_unless_a_broker_sees_to_that(
    headers: dict[str, str], document: object, kept: int, platform: Platform
) -> None:
    """A broker says so in an attribute; the same word in the data is anybody's."""
    answers = [answer("ingest", headers, json.dumps(document).encode(), platform).status for _ in range(2)]
    letters = read_dead_letters(platform.bucket)
    assert (answers, [len(one.deaths) for one in letters]) == ([422, 422], [1] * kept)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("README", 2),
        (f"{'0' * 20}/notes.json", 2),
        ("odd/death-" + "1" * 20 + ".json", 2),
        (f"{'0' * 20}/death-{'1' * 20}.json", LARGEST + 1),
    ],
)
def test_what_is_no_dead_letter_takes_no_room(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, name: str, size: int
) -> None:
    """Neither what lies there under another name, nor what is larger than a letter can be."""
    monkeypatch.setattr(quota, "MOST_DEATHS", 1)
    platform.store.put(f"s3://knoll-models/dead-letters/{name}", b" " * size)
    assert answer("dead-letters", {}, b"no event", platform).status == 204


@pytest.mark.parametrize("release", sorted(folder.name for folder in GOLDEN.iterdir()))
def test_what_has_died_under_an_older_knoll_is_the_same_letter_and_death(release: str) -> None:
    """Else a broker that delivers a dead letter again after an upgrade makes a second one of it."""
    kept = golden_bucket(release)
    deaths = {one.uri: kept.store.get(one.uri) for one in list_deaths(kept)}
    for one in list_letter_objects(kept):  # the first death came before the resend
        kept.store.delete(one.uri)
    platform = memory_platform(store=kept.store)
    for body in deaths.values():
        death = load_death(body)
        if death.event is not None:
            handle(event_from_json(death.event), platform)
        else:
            how = {"meant_for": death.meantFor, "resend": death.resend}
            keep_body(death.headers, death.content(), death.reason, platform, **how)
    assert {one.uri for one in list_deaths(platform.bucket)} == deaths.keys()


def list_deaths(bucket: Bucket) -> list[LetterObject]:
    return [one for one in list_letter_objects(bucket) if one.is_death]
