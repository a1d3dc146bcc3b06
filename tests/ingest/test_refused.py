"""A body that is no notification is rejected, and any JSON is read or rejected."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knoll.errors import InvalidEvent
from knoll.events import Event
from knoll.ingest.notifications import events_from_event, events_from_notification

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
