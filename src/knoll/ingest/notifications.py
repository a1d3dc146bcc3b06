"""What stores, queues and clouds send when an object lands, as events of one form: see
`knoll.ingest.created`.

A message may lie in another: S3's in SNS's in SQS's, if a queue or Lambda hands it on. Its fields show what
it is, because senders set no header for that.
"""

import logging
from collections.abc import Iterable, Iterator
from typing import Any

from knoll.errors import InvalidEvent
from knoll.events import OBJECT_CREATED, Event, WrongField, read_json, reading
from knoll.ingest.clouds import (
    AZURE_CREATED,
    GOOGLE_FINALIZED,
    from_azure,
    from_event_grid,
    from_google,
    from_pubsub,
)
from knoll.ingest.filer import from_filer
from knoll.ingest.interest import may_matter
from knoll.ingest.s3_records import from_event_bridge, from_records
from knoll.names import is_in_bucket, object_uri
from knoll.ports import Platform

__all__ = [
    "events_from_event",
    "events_from_notification",
    "is_notification",
    "publish_notification",
    "publish_notification_event",
]

_log = logging.getLogger(__name__)

_QUEUED = "dev.knative.eventing.aws-sqs"  # of Knative's IntegrationSource: the body of a message in SQS
_LONGEST_URL = 2000  # characters that the log shows
_DEEPEST = 8  # envelopes around a message; those in use make three
# of its topics with cloudevents=true
_CEPH = ("com.amazonaws.ObjectCreated:", "com.amazonaws.s3:ObjectCreated:")


def publish_notification(body: bytes, platform: Platform) -> None:
    """Publish an event for each object of a notification that may complete a dataset. Raises InvalidEvent if
    the body is no notification.

    If a publish fails, the store may post it all again.
    """
    _publish(events_from_notification(body, platform.clock.now().isoformat()), platform)


def publish_notification_event(event: Event, platform: Platform) -> None:
    """The same for a notification in a CloudEvent, with or without a broker."""
    _publish(events_from_event(event, platform.clock.now().isoformat()), platform)


def is_notification(event: Event) -> bool:
    """Whether the event has the form of a store or cloud, and not that of `knoll.ingest.created`."""
    if event.type.startswith(OBJECT_CREATED):
        return isinstance(event.data, dict) and ("Records" in event.data or "eventSource" in event.data)
    return event.type in (_QUEUED, GOOGLE_FINALIZED, AZURE_CREATED) or event.type.startswith(_CEPH)


def events_from_notification(body: bytes, received_at: str) -> list[Event]:
    """The created objects in a notification; deletions, folders and test messages have none. Raises
    InvalidEvent if the body is no notification."""
    with reading("the notification"):
        return list(_told(read_json(body, "the notification"), received_at))


def events_from_event(event: Event, received_at: str) -> list[Event]:
    """The created objects in an event for which `is_notification` is true. Raises InvalidEvent if a field is
    wrong."""
    with reading("the notification"):
        if event.type == AZURE_CREATED:
            return list(from_azure(event, received_at))
        if event.type == GOOGLE_FINALIZED:
            return list(from_google(event.data, received_at))
        return list(_told(event.data, received_at))


def _publish(events: Iterable[Event], platform: Platform) -> None:
    """Publish the events of objects that may complete a dataset, and never of what knoll itself wrote."""
    for event in events:
        bucket, key = event.data["s3"]["bucket"]["name"], event.data["s3"]["object"]["key"]
        uri = object_uri(bucket, key)
        if not is_in_bucket(uri, platform.settings.model_bucket) and may_matter(uri, platform):
            platform.events.publish(event)


def _told(message: Any, received_at: str, depth: int = 0) -> Iterator[Event]:
    """The created objects in a message and in the messages that lie in it."""
    inner = _inner(message)
    if inner is None:
        yield from _told_by_store(message, received_at)
    elif depth == _DEEPEST:
        raise WrongField(f"more than {_DEEPEST} envelopes around a message")
    for one in inner or ():
        yield from _told(one, received_at, depth + 1)


def _inner(message: Any) -> list[Any] | None:
    """The messages in an envelope; None if it is no envelope."""
    match message:
        case [first, *others]:
            return [first, *others]
        case (
            str(text)
            | {"Type": "Notification", "Message": str(text)}  # SNS
            | {"Sns": {"Message": str(text)}}
            | {"eventSource": "aws:sqs", "body": str(text)}
            | {"MessageId": _, "Body": str(text)}  # SQS, as its API gives it
        ):
            return [read_json(text, "the message in the notification")]
        case {"Records": list(messages)} | {"Messages": list(messages)}:
            return messages
    return None


def _told_by_store(message: Any, received_at: str) -> Iterable[Event]:
    match message:
        case {"eventName": _, "s3": _}:
            return from_records([message], received_at)
        case {"detail-type": _}:
            return from_event_bridge(message, received_at)
        case {"event_type": _, "key": _}:
            return from_filer(message, received_at)
        case {"message": {"attributes": {"eventType": _}} as pushed}:
            return from_pubsub(pushed, received_at)
        case {"Event": "s3:TestEvent"}:
            return []
        case {"Type": "SubscriptionConfirmation", "SubscribeURL": url} | {
            "eventType": _,
            "data": {"validationUrl": url},
        }:
            _log.warning(
                "a sender asks to confirm a subscription; if it is yours, open %r", str(url)[:_LONGEST_URL]
            )
            return []
        case {"eventType": _, "subject": _, "data": _}:
            return from_event_grid(message, received_at)
    raise InvalidEvent(
        "the notification has an unknown form; known are S3, SNS, SQS, EventBridge, SeaweedFS, Pub/Sub, "
        "Event Grid"
    )
