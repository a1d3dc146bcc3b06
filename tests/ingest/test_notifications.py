"""What stores, queues and clouds send becomes events of one form; rubbish is rejected.

The bodies of SeaweedFS, versitygw and moto are as they came, the others as their senders document them.
"""

import json
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from knoll.adapters.clock import SystemClock
from knoll.adapters.cluster_local import LocalCluster
from knoll.adapters.memory.events import MemoryEvents
from knoll.adapters.memory.store import MemoryStore
from knoll.adapters.predictors_http import HttpPredictors
from knoll.dead_letters.letters import read_dead_letters
from knoll.errors import InvalidEvent
from knoll.events import Event, event_from_json, event_to_json
from knoll.events.http import event_to_http
from knoll.ingest.handler import handle
from knoll.ingest.landed import Waiting
from knoll.ingest.look import look
from knoll.ingest.notifications import (
    events_from_event,
    events_from_notification,
    is_notification,
    publish_notification,
)
from knoll.laptop.broker.eventing import read_eventing
from knoll.laptop.broker.triggers import Trigger
from knoll.models import parse_model
from knoll.ports import Platform
from knoll.settings import Settings
from knoll.wiring.functions import answer

ROOT = Path(__file__).parents[2]
BODIES = ROOT / "tests" / "events"
ODD = "digits/a b+ü%.txt"
PUT, POST, COPY, COMPLETE = (
    f"com.amazonaws.s3.ObjectCreated:{how}" for how in ("Put", "Post", "Copy", "CompleteMultipartUpload")
)
HELLO, EMPTY = "5d41402abc4b2a76b9719d911017c592", "d41d8cd98f00b204e9800998ecf8427e"
ODD_PUT, MULTIPART = (PUT, ODD, HELLO), (COMPLETE, "digits/mp.bin", "4b99e40247a1e9216822c7aa97c35484-2")
COPIED, MARKER = (COPY, "digits/copy.txt", HELLO), (PUT, "digits/_SUCCESS", EMPTY)
CREATED = {  # all other bodies tell of no created object
    "aws/put": [ODD_PUT],
    "aws/multipart-complete": [MULTIPART],
    "aws/copy": [COPIED],
    "aws/post": [(POST, ODD, HELLO)],
    "aws/two-records": [ODD_PUT, MARKER],
    "aws/sns": [ODD_PUT],
    "aws/sns-lambda": [ODD_PUT],
    "aws/sqs-lambda": [ODD_PUT, MARKER],
    "aws/sqs-pipe": [ODD_PUT],
    "aws/sqs-received": [ODD_PUT],
    "aws/eventbridge": [ODD_PUT],
    "aws/eventbridge-multipart": [MULTIPART],
    "aws/adapter.event": [ODD_PUT],
    "aws/sqs.event": [ODD_PUT],
    "aws/sqs-text.event": [ODD_PUT],
    "aws/sqs-sns.event": [ODD_PUT],
    "aws/sqs-eventbridge.event": [ODD_PUT],
    "azure/put.event": [(PUT, ODD, "0x8D4BCC2E4835CD0")],
    "azure/flush-with-close.event": [(PUT, ODD, "0x8D4BCC2E4835CD0")],
    "azure/copy.event": [(COPY, "digits/copy.txt", "0x8D4BCC2E4835CD0")],
    "azure/event-grid": [(PUT, ODD, "0x8D4BCC2E4835CD0"), (COMPLETE, "digits/mp.bin", "0x8D4BCC2E4835CD0")],
    "azure/block-list.event": [(COMPLETE, "digits/mp.bin", "0x8D4BCC2E4835CD0")],
    "ceph/put": [ODD_PUT],
    "ceph/put-size-as-text": [ODD_PUT],
    "ceph/copy": [COPIED],
    "ceph/multipart-complete": [MULTIPART],
    "ceph/cloudevents.event": [ODD_PUT],
    "ceph/cloudevents-older.event": [ODD_PUT],
    "gcs/finalized.event": [ODD_PUT],
    "gcs/composed.event": [(PUT, "digits/mp.bin", "")],
    "gcs/pubsub": [ODD_PUT],
    "gcs/pubsub-no-payload": [(PUT, ODD, "")],
    "minio/put": [ODD_PUT],
    "minio/slash-encoded": [ODD_PUT],
    "minio/copy": [COPIED],
    "minio/multipart-complete": [MULTIPART],
    "moto/put": [ODD_PUT],
    "moto/copy": [COPIED],
    "moto/multipart-complete": [(COMPLETE, "digits/mp.bin", "c78e341343eb71f14fdef21464e0afa3-2")],
    "moto/sns": [ODD_PUT],
    "moto/eventbridge": [ODD_PUT],
    "seaweedfs/put": [ODD_PUT],
    "seaweedfs/put-again": [(PUT, ODD, "6e809cbda0732ac4845916a59016f954")],
    "seaweedfs/put-empty": [MARKER],
    "seaweedfs/copy": [(PUT, "digits/copy.txt", "6e809cbda0732ac4845916a59016f954")],
    "seaweedfs/metadata-replaced": [(PUT, "digits/copy.txt", HELLO)],
    "seaweedfs/rename": [(PUT, "digits/renamed ü.txt", HELLO)],
    "seaweedfs/rename-into-folder": [(PUT, "other/digits/renamed ü.txt", HELLO)],
    "seaweedfs/multipart-complete": [MULTIPART],
    "versitygw/put": [ODD_PUT],
    "versitygw/put-empty": [MARKER],
    "versitygw/copy": [(COPY, "digits/copy.txt", EMPTY)],
    "versitygw/multipart-complete": [(COMPLETE, "digits/mp.bin", "326078dc9f7f9af267714c26f3d05fc3-2")],
}
NAMES = sorted(str(path.relative_to(BODIES)).removesuffix(".json") for path in BODIES.glob("*/*.json"))


def events_in(name: str) -> list[Event]:
    """What a stored body tells of; `.event` in its name says that it is a CloudEvent."""
    body = (BODIES / f"{name}.json").read_bytes()
    if not name.endswith(".event"):
        return events_from_notification(body, "2026-01-01T00:00:00Z")
    event = event_from_json(json.loads(body))
    assert is_notification(event)
    return events_from_event(event, "2026-01-01T00:00:00Z")


@pytest.mark.parametrize("name", NAMES)
def test_each_store_tells_of_created_objects_and_nothing_else_is_taken_for_one(name: str) -> None:
    """Type, decoded key and etag; and what comes of it is an event that needs no translation."""
    events = events_in(name)
    objects = [event.data["s3"]["object"] for event in events]
    assert [
        (event.type, one["key"], one["eTag"]) for event, one in zip(events, objects, strict=True)
    ] == CREATED.get(name, [])
    for event in events:
        assert event.data["s3"]["bucket"]["name"] == "datasets"
        assert event_from_json(event_to_json(event)) == event
        assert not is_notification(event)


def test_no_body_of_the_table_is_missing() -> None:
    assert CREATED.keys() <= set(NAMES)


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".event")])
def test_what_stores_send_to_the_broker_wakes_one_function_and_what_is_made_of_it_ingest(name: str) -> None:
    triggers = read_eventing(ROOT / "eventing").triggers
    event = event_from_json(json.loads((BODIES / f"{name}.json").read_text()))
    assert len(woken(triggers, event) & {"knoll-notifications", "knoll-ingest"}) == 1
    assert all(woken(triggers, one) == {"knoll-ingest"} for one in events_in(name))


def woken(triggers: Sequence[Trigger], event: Event) -> set[str]:
    return {one.subscriber for one in triggers if one.matches(event)}


def record(**object_fields: object) -> dict[str, object]:
    fields = {
        "key": "digits/a+b%2B%C3%BC%25.txt",
        "size": 3,
        "eTag": "abc",
        "sequencer": "01",
        **object_fields,
    }
    return {
        "eventName": "s3:ObjectCreated:Put",
        "eventSource": "minio:s3",
        "awsRegion": "eu-west-1",
        "eventTime": "2026-01-01T00:00:00Z",
        "s3": {"bucket": {"name": "datasets"}, "object": fields},
    }


def test_the_same_record_twice_is_the_same_event_and_an_overwrite_is_another() -> None:
    """Also after a restart of versitygw, which counts from one again: the marker is written anew, with the
    same bytes."""
    restarted = {**record(), "eventTime": "2026-01-01T00:01:00Z"}
    body = json.dumps(
        {"Records": [record(), record(), record(eTag="def", sequencer="02"), restarted]}
    ).encode()
    first, again, overwrite, anew = events_from_notification(body, "now")
    assert first.source == "minio:s3.eu-west-1.datasets"
    assert first.id == again.id
    assert len({first.id, overwrite.id, anew.id}) == 3


@pytest.mark.parametrize(
    ("one", "other"), [("gcs/finalized.event", "gcs/pubsub"), ("aws/put", "aws/sqs-sns.event")]
)
def test_an_object_is_the_same_event_whichever_way_its_notification_takes(one: str, other: str) -> None:
    assert [event.id for event in events_in(one)] == [event.id for event in events_in(other)]


SENDERS: dict[str, Callable[[str], dict[str, object]]] = {
    "AWS": lambda key: {**record(key=quote_plus(key, safe="/")), "eventSource": "aws:s3"},
    "a sender that writes %20": lambda key: {**record(key=quote(key)), "eventSource": "aws:s3"},
    "MinIO and moto": lambda key: record(key=quote_plus(key)),
    "Ceph": lambda key: {**record(key=key), "eventSource": "ceph:s3"},
    "versitygw": lambda key: {
        **record(key=key),
        "eventSource": "aws:s3",
        "userIdentity": {"PrincipalId": "knoll"},
    },
    "EventBridge": lambda key: {
        **bridged(),
        "detail": {"bucket": {"name": "datasets"}, "object": {"key": key}},
    },
    "SeaweedFS": lambda key: {
        "event_type": "create",
        "key": f"/buckets/datasets/{key}",
        "message": {"new_entry": {"name": key}},
    },
    "Pub/Sub": lambda key: {
        "message": {"attributes": {"eventType": "OBJECT_FINALIZE", "bucketId": "datasets", "objectId": key}}
    },
    "Event Grid": lambda key: {
        "eventType": "Microsoft.Storage.BlobCreated",
        "subject": f"/blobServices/default/containers/datasets/blobs/{key}",
        "data": {"api": "PutBlob"},
    },
}


def bridged() -> dict[str, object]:
    document: dict[str, object] = json.loads((BODIES / "aws" / "eventbridge.json").read_text())
    return document


@pytest.mark.parametrize("sender", SENDERS)
@given(key=st.text(min_size=1, max_size=40).filter(lambda key: not key.endswith("/")))
@example("a b+c%2Fd%25/e=f&g#h?i.txt")
@example("ü/ü/💎")
@example("../$(VAR)\x1b[2J\n")
@example("k" * 1024)
def test_every_key_comes_as_it_is_in_the_bucket(sender: str, key: str) -> None:
    """A space, +, % or anything else, whichever way the sender writes it; and the event passes any broker."""
    (event,) = events_from_notification(json.dumps(SENDERS[sender](key)).encode(), "2026-01-01T00:00:00Z")
    assert event.data["s3"]["object"]["key"] == key
    assert event_from_json(event_to_json(event)) == event


def test_a_thousand_records_are_a_thousand_events() -> None:
    body = json.dumps({"Records": [record(key=f"digits/{number}.txt") for number in range(1000)]}).encode()
    assert len({event.id for event in events_from_notification(body, "now")}) == 1000


@pytest.mark.parametrize(
    "odd",
    [
        {"awsRegion": "eu west\n1", "responseElements": {"x-amz-request-id": "ü", "x-amz-id-2": "a b"}},
        {"eventSource": "%zz", "eventTime": "yesterday"},
        {"eventSource": "//[", "eventTime": "2026-02-30T00:00:00Z"},
        {"eventSource": "1:", "eventTime": None},
    ],
)
def test_odd_names_make_no_event_that_a_broker_would_refuse(odd: dict[str, object]) -> None:
    (event,) = events_from_notification(
        json.dumps({"Records": [record() | odd]}).encode(), "2026-01-01T00:00:00Z"
    )
    assert event_from_json(event_to_json(event)) == event
    assert re.fullmatch(r"([A-Za-z][-+.A-Za-z0-9]*:|/)([-A-Za-z0-9:/+@._~]|%[0-9A-F]{2})*", event.source)
    assert datetime.fromisoformat(event.time)


NAMELESS = [
    {"bucket": {"name": bucket}, "object": {"key": key}}
    for bucket, key in [
        ("datasets", ""),
        ("", "a"),
        ("data/sets", "a"),
        ("datasets", 7),
        ({}, "a"),
        ("datasets", ["a"]),
    ]
]


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b"[]",
            b"{",
            b'"text"',
            b"{}",
            b'{"Records": [{}]}',
            b'{"Records": [1]}',
            b'{"Records": [{"eventName": "ObjectCreated:Put"}]}',
        ),
        *(
            b"[" * 100_000,
            b'{"Type": "Notification", "Message": "hello"}',
            b'{"detail-type": "Object Created", "source": "aws.s3"}',
        ),
        b'{"message": {"attributes": {"eventType": "OBJECT_FINALIZE"}}}',
        *(
            b'{"Records": [], "Records": []}',
            b'{"Records": [NaN]}',
            b'{"Records": [1e999]}',
            b'{"Records": [' + b"9" * 10**6 + b"]}",
        ),
        *(
            b'{"Event": "s3:TestEvent", "Bucket": "\\ud800"}',
            b'{"Event": "s3:TestEvent", "Bucket": "\xff"}',
            b"[" * 9 + b"{}" + b"]" * 9,
        ),
        *(
            json.dumps({"Records": [{"eventName": "s3:ObjectCreated:Put", "s3": thing}]}).encode()
            for thing in NAMELESS
        ),
    ],
)
def test_a_body_that_is_no_notification_is_rejected(body: bytes) -> None:
    with pytest.raises(InvalidEvent):
        events_from_notification(body, "now")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["Records", "s3", "object", "key", "message"]), inner)
    ),
    max_leaves=8,
)
messages = (
    json_values
    | st.fixed_dictionaries({"Records": st.lists(json_values, max_size=2)})
    | st.fixed_dictionaries({"event_type": json_values, "key": json_values, "message": json_values})
    | st.fixed_dictionaries({"detail-type": json_values, "source": json_values, "detail": json_values})
    | st.fixed_dictionaries(
        {"message": st.fixed_dictionaries({"attributes": st.fixed_dictionaries({"eventType": json_values})})}
    )
)
types = [
    "dev.knative.eventing.aws-sqs",
    "google.cloud.storage.object.v1.finalized",
    "Microsoft.Storage.BlobCreated",
]


@given(messages, st.sampled_from(types))
def test_any_json_is_read_or_rejected(message: object, type: str) -> None:
    event = Event("1", "/test", type, "now", "/blobServices/default/containers/c/blobs/b", message)
    reads: list[Callable[[], object]] = [
        lambda: events_from_notification(json.dumps(message).encode(), "now"),
        lambda: events_from_event(event, "now"),
    ]
    for read in reads:
        try:
            read()
        except InvalidEvent:
            continue


def platform(folder: Path, sink: MemoryEvents) -> Platform:
    clock = SystemClock()
    cluster = LocalCluster(folder / "knoll.db", "default", clock)
    spec = {"family": "image-classifier", "dataset": {"uri": "s3://datasets/", "landed": {"when": "object"}}}
    cluster.create(
        {"apiVersion": "knoll.dev/v1alpha1", "kind": "Model", "metadata": {"name": "any"}, "spec": spec}
    )
    return Platform(MemoryStore(), cluster, sink, HttpPredictors(), clock, Settings(home=folder))


def test_what_knoll_itself_writes_is_no_news(tmp_path: Path) -> None:
    sink = MemoryEvents()
    ours = {
        **record(),
        "s3": {"bucket": {"name": "knoll-models"}, "object": {"key": "models/digits/v000001/manifest.json"}},
    }
    publish_notification(json.dumps({"Records": [ours, record()]}).encode(), platform(tmp_path, sink))
    assert [event.data["s3"]["bucket"]["name"] for event in sink.taken] == ["datasets"]


@pytest.mark.parametrize(
    ("name", "headers"),
    [("raw", {"content-type": "application/json"}), ("event", {"ce-id": "1", "ce-type": "?"})],
)
def test_a_store_that_is_refused_has_no_sink_so_its_body_is_kept_once(
    tmp_path: Path, name: str, headers: dict[str, str]
) -> None:
    """Whoever sent it learns that it will never be right, and whoever looks finds it with the reason."""
    world = platform(tmp_path, MemoryEvents())
    assert [answer("ingest", headers, b'{"Records": [{}]}', world).status for _ in range(2)] == [422, 422]
    (letter,) = read_dead_letters(world.bucket)
    assert letter.last.body == b'{"Records": [{}]}'
    assert letter.last.reason


def test_what_a_broker_brought_goes_to_its_sink_and_is_not_kept_twice(tmp_path: Path) -> None:
    world = platform(tmp_path, MemoryEvents())
    event = Event(
        "1",
        "/s",
        "com.amazonaws.s3.ObjectCreated:Put",
        "",
        extensions={"knativearrivaltime": "2026-01-01T00:00:00Z"},
    )
    assert answer("ingest", *event_to_http(event), world).status == 422
    assert not read_dead_letters(world.bucket)


def test_what_a_cloud_says_in_its_own_words_comes_back_in_the_one_form(tmp_path: Path) -> None:
    """Posted to the function past the broker, too: nobody would take its reply there."""
    sink = MemoryEvents()
    event = event_from_json(json.loads((BODIES / "gcs" / "finalized.event.json").read_text()))
    assert handle(event, platform(tmp_path, sink)) is None
    assert [(one.type, one.data["s3"]["object"]["key"]) for one in sink.taken] == [(PUT, ODD)]


def test_the_model_bucket_is_no_dataset(tmp_path: Path) -> None:
    """What knoll writes there would train a version, which writes again, without end."""
    world = platform(tmp_path, MemoryEvents())
    spec = {
        "family": "image-classifier",
        "dataset": {"uri": "s3://knoll-models/", "landed": {"when": "object"}},
    }
    model = parse_model(
        {"apiVersion": "knoll.dev/v1alpha1", "kind": "Model", "metadata": {"name": "loop"}, "spec": spec}
    )
    world.store.put("s3://knoll-models/models/digits/v000001/README.md", b"written by knoll")
    seen = look(model, world)
    assert isinstance(seen, Waiting)
    assert "is the bucket of models" in seen.reason
