import json
from datetime import UTC, datetime

import pytest

from knoll.events import Event, new_event
from knoll.laptop.event_log import EventLog
from knoll.wiring.platform import DATABASE


@pytest.fixture
def happened(platform) -> list[Event]:
    """Three events that a broker has taken."""
    log = EventLog(platform.settings.home / DATABASE)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    events = [
        new_event("dev.knoll.dataset.landed", source="/test", time=at, subject="digits", data={"model": "digits", "objects": 3}),
        new_event("dev.knoll.training.failed", source="/test", time=at, subject="faces", data={"model": "faces", "reason": "x.png"}),
        new_event("dev.knoll.rollout.promoted", source="/test", time=at, subject="digits", data={"model": "digits", "percent": 100}),
    ]
    for event in events:
        log.append(event, [])
    return events


def test_events_are_cloudevents_in_order(knoll, happened: list[Event]) -> None:
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
def test_events_are_chosen_by_type_model_and_number(knoll, happened: list[Event], words: list[str], wanted: list[int]) -> None:
    """The filters apply before the limit, which keeps the newest."""
    lines = [json.loads(line) for line in knoll("events", "-o", "json", *words).stdout.splitlines()]
    assert [line["id"] for line in lines] == [happened[index].id for index in wanted]


def test_an_event_of_a_foreign_shape_is_shown_like_the_others(knoll, happened: list[Event], platform) -> None:
    """Whatever somebody has sent to the broker, the events can be read."""
    odd = Event("odd", "/test", "com.example.odd", "2026-01-01T00:00:00+00:00", data={"metadata": "none"})
    EventLog(platform.settings.home / DATABASE).append(odd, [])
    result = knoll("events")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == len(happened) + 1
