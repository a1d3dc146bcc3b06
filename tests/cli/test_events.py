import json
from datetime import UTC, datetime
from typing import Any

import pytest

from cli.declared import Knoll, Kubeconfig
from knoll.dead_letters import handler as dead_letters
from knoll.events import PING, Event, new_event
from knoll.laptop.broker.event_log import EventLog
from knoll.ports import Platform
from knoll.sqlite_file import DATABASE


@pytest.fixture
def happened(platform: Platform) -> list[Event]:
    """Three events that a broker has taken."""
    log = EventLog(platform.settings.home / DATABASE)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    events = [
        new_event(
            "dev.knoll.dataset.landed",
            source="/test",
            time=at,
            subject="digits",
            data={"model": "digits", "objects": 3},
        ),
        new_event(
            "dev.knoll.training.failed",
            source="/test",
            time=at,
            subject="faces",
            data={"model": "faces", "reason": "x.png"},
        ),
        new_event(
            "dev.knoll.rollout.promoted",
            source="/test",
            time=at,
            subject="digits",
            data={"model": "digits", "percent": 100},
        ),
    ]
    for event in events:
        log.append(event, [])
    return events


def test_events_are_cloudevents_in_order(knoll: Knoll, happened: list[Event]) -> None:
    """-o json prints one structured CloudEvent per line, the oldest first."""
    lines = [json.loads(line) for line in knoll("events", "-o", "json").stdout.splitlines()]
    assert [line["id"] for line in lines] == [event.id for event in happened]
    assert all(line["specversion"] == "1.0" for line in lines)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--model", "digits"], [0, 2]),
        (["--type", "dev.knoll.rollout"], [2]),
        (["--limit", "1", "--model", "digits"], [2]),
        (["--limit", "0"], []),
    ],
)
def test_events_are_chosen_by_type_model_and_number(
    knoll: Knoll, happened: list[Event], words: list[str], wanted: list[int]
) -> None:
    """The filters apply before the limit, which keeps the newest."""
    lines = [json.loads(line) for line in knoll("events", "-o", "json", *words).stdout.splitlines()]
    assert [line["id"] for line in lines] == [happened[index].id for index in wanted]


def test_an_event_of_a_foreign_shape_is_shown_like_the_others(
    knoll: Knoll, happened: list[Event], platform: Platform
) -> None:
    """Whatever somebody has sent to the broker, the events can be read."""
    odd = Event("odd", "/test", "com.example.odd", "2026-01-01T00:00:00+00:00", data={"metadata": "none"})
    EventLog(platform.settings.home / DATABASE).append(odd, [])
    result = knoll("events")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == len(happened) + 1


@pytest.fixture
def on_a_cluster(
    s3: Any, platform: Platform, kubeconfig: Kubeconfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store of a cluster whose API server is not asked: all that it could say stands in the
    environment."""
    given = {
        "KNOLL_S3_ENDPOINT": s3.endpoint,
        "KNOLL_S3_ACCESS_KEY": s3.access_key,
        "KNOLL_S3_SECRET_KEY": s3.secret_key,
        "KNOLL_VERIFY_KEY": "a key that no event needs",
        "KNOLL_STAMP_VERIFY_KEY": "another one",
    }
    for name, value in {**given, "KNOLL_CLUSTER": "kubernetes", "KUBECONFIG": str(kubeconfig(9))}.items():
        monkeypatch.setenv(name, value)


def test_a_cluster_shows_its_dead_letters_from_the_model_bucket(
    knoll: Knoll, on_a_cluster: None, platform: Platform
) -> None:
    """Events are shown as they came, with why nobody took them; a body that is no event is shown, too."""
    dead_letters.handle(
        Event(
            "1",
            "/test",
            "dev.knoll.dataset.landed",
            "2026-01-01T00:00:00Z",
            "digits",
            {},
            {"knativeerrorcode": "422", "knativeerrordata": "d2h5"},
        ),
        platform,
    )
    dead_letters.keep_body({"content-type": "text/plain"}, b"no event at all", "it is no JSON", platform)
    lines = [json.loads(line) for line in knoll("events", "--dead", "-o", "json").stdout.splitlines()]
    assert [(line["type"], line.get("knativeerrorcode")) for line in lines] == [
        ("dev.knoll.dataset.landed", "422"),
        ("not-an-event", None),
    ]
    assert "data=why" in knoll("events", "--dead").stdout
    assert "no event at all" in knoll("events", "--dead").stdout
    assert "no event at all" not in knoll("events", "--dead", "--model", "digits").stdout


def test_a_cluster_keeps_no_history(knoll: Knoll, on_a_cluster: None) -> None:
    """The error says where else to look."""
    result = knoll("events")
    assert result.exit_code == 1
    assert "keeps no history" in result.stderr
    assert "knoll events --dead" in result.stderr


def test_ticks_are_hidden_unless_they_are_asked_for(
    knoll: Knoll, happened: list[Event], platform: Platform
) -> None:
    """They come every few seconds and say nothing about a model."""
    tick = Event("tick", "/test", PING, "2026-01-01T00:00:00+00:00")
    EventLog(platform.settings.home / DATABASE).append(tick, [])
    shown = {
        words: PING in knoll("events", *words).stdout for words in ((), ("--all",), ("--type", "dev.knative"))
    }
    assert shown == {(): False, ("--all",): True, ("--type", "dev.knative"): True}
    assert len(knoll("events", "--limit", "3").stdout.splitlines()) == len(happened)
