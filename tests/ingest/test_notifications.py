"""What stores, queues and clouds send becomes events of one form."""

import json
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.bodies import BODIES, CREATED, NAMES, ROOT, events_in, record
from knoll.events import Event, event_from_json, event_to_json
from knoll.ingest.notifications import events_from_notification, is_notification
from knoll.laptop.broker.eventing import read_eventing
from knoll.laptop.broker.triggers import Trigger


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
