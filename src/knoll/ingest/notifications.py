"""What stores, queues and clouds send when an object lands, as events of one form: see `knoll.ingest.created`.

A message may lie in others: S3's in SNS's in SQS's. It is recognised by its fields, because senders set no header that would tell.
"""

import json
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from knoll.errors import InvalidEvent
from knoll.events import OBJECT_CREATED, Event
from knoll.ingest.clouds import AZURE_CREATED, GOOGLE_FINALIZED, from_azure, from_google, from_pubsub
from knoll.ingest.filer import from_filer
from knoll.ingest.records import from_event_bridge, from_records
from knoll.ports import Platform

__all__ = ["events_from_event", "events_from_notification", "is_notification", "receive", "receive_event"]

_log = logging.getLogger(__name__)

_QUEUED = "dev.knative.eventing.aws-sqs"  # of Knative's IntegrationSource: the body of a message in SQS
_CEPH = ("com.amazonaws.ObjectCreated:", "com.amazonaws.s3:ObjectCreated:")  # of its topics with cloudevents=true


def receive(body: bytes, platform: Platform) -> None:
    """Publish what a notification tells of the users' buckets. Raises InvalidEvent when the body is none.

    When a publish fails, the store may post it all again.
    """
    _publish(events_from_notification(body, platform.clock.now().isoformat()), platform)


def receive_event(event: Event, platform: Platform) -> None:
    """The same for a notification that came as a CloudEvent, through the broker or past it."""
    _publish(events_from_event(event, platform.clock.now().isoformat()), platform)


def is_notification(event: Event) -> bool:
    """Whether the event is a store's or cloud's own, and not yet in the form that ingest reads."""
    if event.type.startswith(OBJECT_CREATED):
        return isinstance(event.data, dict) and ("Records" in event.data or "eventSource" in event.data)
    return event.type in (_QUEUED, GOOGLE_FINALIZED, AZURE_CREATED) or event.type.startswith(_CEPH)


def events_from_notification(body: bytes, received_at: str) -> list[Event]:
    """The created objects of a notification; deletions, folders and test messages have none. Raises InvalidEvent for other bodies."""
    with _reading():
        return list(_told(json.loads(body), received_at))


def events_from_event(event: Event, received_at: str) -> list[Event]:
    """The created objects of an event for which `is_notification` is true. Raises InvalidEvent when a field is not as it should be."""
    with _reading():
        if event.type == AZURE_CREATED:
            return list(from_azure(event, received_at))
        if event.type == GOOGLE_FINALIZED:
            return list(from_google(event.data, received_at))
        return list(_told(event.data, received_at))


def _publish(events: Iterable[Event], platform: Platform) -> None:
    """What knoll itself writes is no news, and must never start anything."""
    for event in events:
        if event.data["s3"]["bucket"]["name"] != platform.settings.model_bucket:
            platform.events.publish(event)


def _told(message: Any, received_at: str) -> Iterable[Event]:
    match message:
        case str() | {"Type": "Notification", "Message": str()}:
            text = message if isinstance(message, str) else message["Message"]
            return _told(json.loads(text), received_at)
        case {"Type": "SubscriptionConfirmation", "SubscribeURL": url}:
            _log.warning("SNS asks to confirm a subscription; if it is yours, open %r", url)
            return []
        case {"Records": list(records)}:
            return from_records(records, received_at)
        case {"eventSource": _, "s3": _}:
            return from_records([message], received_at)
        case {"detail-type": _}:
            return from_event_bridge(message, received_at)
        case {"event_type": _, "key": _}:
            return from_filer(message, received_at)
        case {"message": {"attributes": {"eventType": _}} as pushed}:
            return from_pubsub(pushed, received_at)
        case {"Event": "s3:TestEvent"}:
            return []
    raise InvalidEvent("the notification is of no form that is known: S3, SNS, EventBridge, SeaweedFS, Pub/Sub")


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise InvalidEvent(f"the notification is not JSON, or lacks or misplaces a field: {type(error).__name__} {error}") from error
