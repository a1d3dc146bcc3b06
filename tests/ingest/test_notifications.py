"""Raw bodies, as stores send them, become events; rubbish is rejected."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knoll.adapters.clock import SystemClock
from knoll.adapters.cluster_local import LocalCluster
from knoll.adapters.predictors_http import HttpPredictors
from knoll.adapters.store_memory import MemoryStore
from knoll.errors import InvalidEvent
from knoll.events import Event, event_from_json, event_to_json
from knoll.ingest.notifications import events_from_notification, receive
from knoll.ports import Platform
from knoll.settings import Settings

BODIES = Path(__file__).parents[1] / "events"
CREATED = {
    "put": ("Put", "digits/a b+ü%.txt", "5d41402abc4b2a76b9719d911017c592"),
    "put-again": ("Put", "digits/a b+ü%.txt", "6e809cbda0732ac4845916a59016f954"),
    "put-empty": ("Put", "digits/_SUCCESS", "d41d8cd98f00b204e9800998ecf8427e"),
    "copy": ("Put", "digits/copy.txt", "6e809cbda0732ac4845916a59016f954"),
    "multipart-complete": ("CompleteMultipartUpload", "digits/mp.bin", "4b99e40247a1e9216822c7aa97c35484-2"),
}


@pytest.mark.parametrize("path", sorted((BODIES / "seaweedfs").glob("*.json")), ids=lambda path: path.stem)
def test_seaweedfs_tells_of_created_objects_and_nothing_else_is_taken_for_one(path: Path) -> None:
    events = events_from_notification(path.read_bytes(), "2026-01-01T00:00:00Z")
    if path.stem not in CREATED:
        assert events == []
        return
    name, key, etag = CREATED[path.stem]
    assert [event.type for event in events] == [f"com.amazonaws.s3.ObjectCreated:{name}"]
    assert events[0].data["s3"]["bucket"]["name"] == "datasets"
    assert (events[0].data["s3"]["object"]["key"], events[0].data["s3"]["object"]["eTag"]) == (key, etag)
    assert event_from_json(event_to_json(events[0])) == events[0]


def record(**object_fields: object) -> dict[str, object]:
    fields = {"key": "digits/a+b%2B%C3%BC%25.txt", "size": 3, "eTag": "abc", "sequencer": "01", **object_fields}
    return {
        "eventName": "s3:ObjectCreated:Put",
        "eventSource": "minio:s3",
        "awsRegion": "eu-west-1",
        "eventTime": "2026-01-01T00:00:00Z",
        "s3": {"bucket": {"name": "datasets"}, "object": fields},
    }


def test_a_record_of_s3_has_its_key_decoded_once_and_its_source_named() -> None:
    (event,) = events_from_notification(json.dumps({"Records": [record()]}).encode(), "now")
    assert event.data["s3"]["object"]["key"] == "digits/a b+ü%.txt"
    assert event.source == "minio:s3.eu-west-1.datasets"
    assert event.type == "com.amazonaws.s3.ObjectCreated:Put"


def test_the_same_record_twice_is_the_same_event_and_an_overwrite_is_another() -> None:
    body = json.dumps({"Records": [record(), record(), record(eTag="def", sequencer="02")]}).encode()
    first, again, overwrite = events_from_notification(body, "now")
    assert first.id == again.id != overwrite.id


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'"text"', b"{}", b'{"Records": [{}]}', b'{"Records": [1]}', b'{"Records": [{"eventName": "ObjectCreated:Put"}]}'],
)
def test_a_body_that_is_no_notification_is_rejected(body: bytes) -> None:
    with pytest.raises(InvalidEvent):
        events_from_notification(body, "now")


@pytest.mark.parametrize("body", [b'{"Event": "s3:TestEvent", "Bucket": "b"}', b'{"Records": []}'])
def test_a_test_message_tells_of_nothing(body: bytes) -> None:
    assert events_from_notification(body, "now") == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["Records", "s3", "object", "key", "message"]), inner),
    max_leaves=8,
)


@given(
    json_values
    | st.fixed_dictionaries({"Records": st.lists(json_values, max_size=2)})
    | st.fixed_dictionaries({"event_type": json_values, "key": json_values, "message": json_values})
)
def test_any_json_is_read_or_rejected(message: object) -> None:
    try:
        events_from_notification(json.dumps(message).encode(), "now")
    except InvalidEvent:
        return


def test_what_knoll_itself_writes_is_no_news(tmp_path: Path) -> None:
    published: list[Event] = []

    class Sink:
        def publish(self, event: Event) -> None:
            published.append(event)

    settings = Settings(home=tmp_path)
    clock = SystemClock()
    platform = Platform(MemoryStore(), LocalCluster(tmp_path / "knoll.db", "default", clock), Sink(), HttpPredictors(), clock, settings)
    ours = record()
    ours["s3"] = {"bucket": {"name": settings.model_bucket}, "object": {"key": "models/digits/v000001/manifest.json"}}
    receive(json.dumps({"Records": [ours, record()]}).encode(), platform)
    assert [event.data["s3"]["bucket"]["name"] for event in published] == ["datasets"]
