"""`knoll dlq`: dead letters are found, explained, resent and dropped, with the same words on a laptop and
on a cluster."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from cli.declared import Knoll
from knoll.adapters.memory.events import MemoryEvents
from knoll.dead_letters import handler, quota
from knoll.dead_letters.resend import resend_wanted
from knoll.errors import QuotaExceeded
from knoll.events import Event, event_to_json
from knoll.ports import Platform
from knoll.records.dead_letter import LARGEST
from knoll.views import letter_room

WHY = {
    "knativeerrordest": "http://knoll-train.knoll.svc",
    "knativeerrorcode": "422",
    "knativeerrordata": "bm8gcnVu",
}  # no run
TRAIN = Event(
    "1", "/test", "dev.knoll.dataset.landed", "2026-01-01T00:00:00Z", "digits", {"model": "digits ü"}, WHY
)
ROLLOUT = replace(TRAIN, id="2", type="dev.knoll.training.succeeded", subject="faces")


@pytest.fixture
def broker() -> MemoryEvents:
    return MemoryEvents()


@pytest.fixture
def tick(platform: Platform, broker: MemoryEvents) -> Callable[[], None]:
    """What the sweep does for dead letters."""
    return lambda: resend_wanted(replace(platform, events=broker), lambda meant_for, headers, body: None)


@pytest.fixture
def letters(platform: Platform) -> list[str]:
    """Two events and a body that is none; their ids, in this order."""
    handler.handle(TRAIN, platform)
    handler.handle(ROLLOUT, platform)
    handler.keep_body(
        {"content-type": "text/plain", "ce-type": "com.example.odd"},
        b"hello \x1b[2J",
        "the data is not JSON",
        platform,
    )
    found = sorted(
        {
            one.uri.split("/")[4]
            for one in platform.store.list(f"{platform.settings.model_root}/dead-letters/")
        }
    )
    bodies = {
        id: next(platform.store.get(one.uri) for one in platform.store.list(_place(platform, id))).decode()
        for id in found
    }
    return [
        next(id for id in found if words in bodies[id]) for words in ('"id": "1"', '"id": "2"', "not JSON")
    ]


def _place(platform: Platform, id: str) -> str:
    return f"{platform.settings.model_root}/dead-letters/{id}/"


def listed(knoll: Knoll, *words: str) -> dict[str, str]:
    found = json.loads(knoll("dlq", "list", "-o", "json", *words).stdout)["letters"]
    return {one["letter"]: one["state"] for one in found}


def test_the_list_says_what_died_how_often_and_why(
    knoll: Knoll, letters: list[str], platform: Platform
) -> None:
    """The newest stands first; types can be chosen; programs get the same."""
    train, rollout, odd = letters
    handler.handle(replace(TRAIN, extensions={**WHY, "knativeerrorcode": "503"}), platform)
    rows = {line.split()[0]: line.split() for line in knoll("dlq", "list").stdout.splitlines()}
    assert [*rows] == ["ID", train, odd, rollout]
    assert rows[train][1:5] == ["dev.knoll.dataset.landed", "digits", "Dead", "2"]
    assert rows[train][6:] == ["knoll-train", "503:", "no", "run"]
    assert rows[odd][1:4] == ["com.example.odd", "Dead", "1"]
    assert [*listed(knoll, "--type", "dev.knoll.training")] == [rollout]
    (told,) = json.loads(knoll("dlq", "list", "--type", "dev.knoll.training", "-o", "json").stdout)["letters"]
    assert (told["destination"], told["code"], told["reason"], told["times"]) == (
        "knoll-train",
        "422",
        "no run",
        1,
    )


def test_one_letter_is_shown_with_its_body_and_its_history(
    knoll: Knoll, letters: list[str], platform: Platform, tick: Callable[[], None], broker: MemoryEvents
) -> None:
    """By the beginning of its id, as it was sent."""
    train, _, odd = letters
    assert knoll("dlq", "replay", train).exit_code == 0
    tick()
    handler.handle(replace(broker.taken[0], extensions={**broker.taken[0].extensions, **WHY}), platform)
    shown = knoll("dlq", "show", train[:12]).stdout
    assert "digits ü" in shown
    history = [
        line.split()[1]
        for line in shown.splitlines()
        if line.rstrip().endswith(("no run", "with knoll dlq replay"))
    ]
    assert history == ["not", "resent", "not"]
    told = json.loads(knoll("dlq", "show", train, "-o", "json").stdout)
    assert told["event"] == event_to_json(replace(TRAIN, extensions={}))
    assert [one["replay"] for one in told["deaths"]] == ["", f"{train}.1"]
    assert told["replays"][0]["by"].endswith("with knoll dlq replay")
    assert "hello \\x1b[2J" in knoll("dlq", "show", odd).stdout


def test_a_resend_is_wanted_until_a_tick_has_published_it(
    knoll: Knoll,
    kn_model: Knoll,
    letters: list[str],
    tick: Callable[[], None],
    broker: MemoryEvents,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Asked for again nothing changes; what cannot be resent is told, and does not stop the others."""
    train, rollout, odd = letters
    assert f"letter/{rollout} wanted (dry run)" in knoll("dlq", "replay", "--all", "--dry-run").stdout
    assert set(listed(knoll).values()) == {"Dead"}
    asked = json.loads(knoll("dlq", "replay", "--all", "-o", "json").stdout)["letters"]
    assert {one["letter"]: one["result"] for one in asked} == {
        train: "wanted",
        rollout: "wanted",
        odd: "refused",
    }
    monkeypatch.setenv("KNOLL_CLUSTER", "local")
    assert f"letter/{train} unchanged" in kn_model("dlq", "replay", train).stdout
    assert listed(knoll) == {train: "Wanted", rollout: "Wanted", odd: "Dead"}
    waits = {
        one["letter"]: one["wait"] for one in json.loads(knoll("dlq", "list", "-o", "json").stdout)["letters"]
    }
    assert (waits[train]["for"], waits[train]["need"]) == ("the next tick", 1)
    assert f"knoll dlq drop {odd}" in waits[odd]["ends"]
    assert "Waits for:" in knoll("dlq", "show", odd).stdout
    watched = knoll("dlq", "replay", train, "-w", "--timeout", "0")
    assert watched.exit_code == 3
    assert "0 of 1 to be published; a tick publishes them (since " in watched.stdout
    tick()
    tick()
    assert sorted(event.id for event in broker.taken) == ["1", "2"]
    assert (listed(knoll), listed(knoll, "--all")[train]) == ({odd: "Dead"}, "Replayed")
    assert "2 others resent: kn model dlq list --all" in kn_model("dlq", "list").stderr
    assert (
        json.loads(knoll("dlq", "replay", "--all", "-o", "json").stdout)["letters"][0]["result"] == "refused"
    )


def test_a_letter_is_dropped_only_when_it_is_confirmed(
    knoll: Knoll, letters: list[str], tick: Callable[[], None], platform: Platform
) -> None:
    """One, those that were resent, or all, with their history."""
    train, rollout, odd = letters
    refused = knoll("dlq", "drop", train, stdin="n\n")
    assert (refused.exit_code, "Drop 1 dead letter for good?" in refused.stderr, len(listed(knoll))) == (
        1,
        True,
        3,
    )
    assert f"letter/{train} dropped" in knoll("dlq", "drop", train, stdin="y\n").stdout
    knoll("dlq", "replay", rollout)
    tick()
    assert json.loads(knoll("dlq", "drop", "--replayed", "--yes", "-o", "json").stdout) == {
        "dropped": [rollout]
    }
    assert listed(knoll, "--all") == {odd: "Dead"}
    knoll("dlq", "drop", "--all", "--yes")
    assert list(platform.store.list(f"{platform.settings.model_root}/dead-letters/")) == []
    assert "No dead letters" in knoll("dlq", "list").stderr


@pytest.mark.parametrize(
    ("name", "body"),
    [
        (f"death-{'1' * 20}", b"{"),
        (f"death-{'1' * 20}", b'{"schema": 99, "needs": "9.9"}'),
        (f"death-{'1' * 20}", b" " * (LARGEST + 1)),
        ("replay-000001", b"[]"),
    ],
)
def test_what_cannot_be_read_is_dropped_like_any_other(
    knoll: Knoll, letters: list[str], platform: Platform, name: str, body: bytes
) -> None:
    """By its id or with all others; what is asked before says that it cannot be read."""
    place, (train, *_) = f"{platform.settings.model_root}/dead-letters/", letters
    spoilt = f"{place}{'0' * 20}/{name}.json"
    platform.store.put(spoilt, body)
    refused = knoll("dlq", "drop", "0000", train, stdin="n\n")
    assert f"letter/{'0' * 20} cannot be read" in refused.stderr
    assert "Drop 2 dead letters for good?" in refused.stderr
    assert knoll("dlq", "drop", "0000", "--yes").stdout == f"letter/{'0' * 20} dropped\n"
    platform.store.put(spoilt, body)
    assert knoll("dlq", "drop", "--all", "--yes").exit_code == 0
    assert list(platform.store.list(place)) == []


def test_what_is_asked_wrongly_changes_nothing(knoll: Knoll, letters: list[str]) -> None:
    """The errors say what would be right."""
    train, _, odd = letters
    for words in (["replay"], ["drop"], ["replay", train, "--all"], ["drop", train, "--type", "x"]):
        assert knoll("dlq", *words).exit_code == 2, words
    unknown = knoll("dlq", "show", "nothing", "-o", "json")
    assert (unknown.exit_code, json.loads(unknown.stdout)["error"]["fix"]) == (
        4,
        "knoll dlq list --all lists them",
    )
    assert "begin like this" in knoll("dlq", "show", "").stderr
    refused = knoll("dlq", "replay", train, odd)
    assert refused.exit_code == 1
    assert "is not an event" in refused.stderr
    assert f"Fix: knoll dlq show {odd}" in refused.stderr
    assert set(listed(knoll).values()) == {"Dead"}


def test_the_list_says_that_letters_were_refused_and_how_full_the_room_is(
    knoll: Knoll, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in (quota, letter_room):
        monkeypatch.setattr(place, "MOST_DEATHS", 4)
    assert "refused" not in knoll("dlq", "list").stderr
    for number in range(2):
        handler.handle(replace(TRAIN, id=f"{number}"), platform)
    with pytest.raises(QuotaExceeded):
        handler.handle(replace(TRAIN, id="one too many"), platform)
    told = knoll("dlq", "list").stderr
    assert "dead letters were refused once, the last one" in told
    assert "of source /test" in told
    assert "knoll dlq drop makes room" in told
    room = json.loads(knoll("dlq", "list", "-o", "json").stdout)["room"]
    assert (room["letters"], room["ofLetters"], room["refused"]["count"]) == (2, 4, 1)
