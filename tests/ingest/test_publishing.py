"""What ingest does with a notification: it is published once, or kept once if it is refused."""

import json

import pytest

from ingest.bodies import BODIES, ODD, PUT, record
from knoll.adapters.memory.events import MemoryEvents
from knoll.adapters.memory.platform import memory_platform
from knoll.dead_letters.letters import read_dead_letters
from knoll.events import Event, event_from_json
from knoll.events.http import event_to_http
from knoll.ingest.handler import handle
from knoll.ingest.landed import Waiting
from knoll.ingest.look import look_and_learn
from knoll.ingest.notifications import publish_notification
from knoll.models import parse_model
from knoll.ports import Platform
from knoll.wiring.functions import answer


def platform(sink: MemoryEvents) -> Platform:
    made = memory_platform(events=sink)
    spec = {"family": "image-classifier", "dataset": {"uri": "s3://datasets/", "landed": {"when": "object"}}}
    made.cluster.create(
        {"apiVersion": "knoll.dev/v1alpha1", "kind": "Model", "metadata": {"name": "any"}, "spec": spec}
    )
    return made


def test_what_knoll_itself_writes_is_no_news() -> None:
    sink = MemoryEvents()
    ours = {
        **record(),
        "s3": {"bucket": {"name": "knoll-models"}, "object": {"key": "models/digits/v000001/manifest.json"}},
    }
    publish_notification(json.dumps({"Records": [ours, record()]}).encode(), platform(sink))
    assert [event.data["s3"]["bucket"]["name"] for event in sink.taken] == ["datasets"]


@pytest.mark.parametrize(
    ("name", "headers"),
    [("raw", {"content-type": "application/json"}), ("event", {"ce-id": "1", "ce-type": "?"})],
)
def test_a_store_that_is_refused_has_no_sink_so_its_body_is_kept_once(
    name: str, headers: dict[str, str]
) -> None:
    """Whoever sent it learns that it will never be right, and whoever looks finds it with the reason."""
    world = platform(MemoryEvents())
    assert [answer("ingest", headers, b'{"Records": [{}]}', world).status for _ in range(2)] == [422, 422]
    (letter,) = read_dead_letters(world.bucket)
    assert letter.last.body == b'{"Records": [{}]}'
    assert letter.last.reason


def test_what_a_broker_brought_goes_to_its_sink_and_is_not_kept_twice() -> None:
    world = platform(MemoryEvents())
    event = Event(
        "1",
        "/s",
        "com.amazonaws.s3.ObjectCreated:Put",
        "",
        extensions={"knativearrivaltime": "2026-01-01T00:00:00Z"},
    )
    assert answer("ingest", *event_to_http(event), world).status == 422
    assert not read_dead_letters(world.bucket)


def test_what_a_cloud_says_in_its_own_words_comes_back_in_the_one_form() -> None:
    """Posted to the function past the broker, too: nobody would take its reply there."""
    sink = MemoryEvents()
    event = event_from_json(json.loads((BODIES / "gcs" / "finalized.event.json").read_text()))
    assert handle(event, platform(sink)) is None
    assert [(one.type, one.data["s3"]["object"]["key"]) for one in sink.taken] == [(PUT, ODD)]


def test_the_model_bucket_is_no_dataset() -> None:
    """What knoll writes there would train a version, which writes again, without end."""
    world = platform(MemoryEvents())
    spec = {
        "family": "image-classifier",
        "dataset": {"uri": "s3://knoll-models/", "landed": {"when": "object"}},
    }
    model = parse_model(
        {"apiVersion": "knoll.dev/v1alpha1", "kind": "Model", "metadata": {"name": "loop"}, "spec": spec}
    )
    world.store.put("s3://knoll-models/models/digits/v000001/README.md", b"written by knoll")
    seen = look_and_learn(model, world)
    assert isinstance(seen, Waiting)
    assert "is the bucket of models" in seen.what
