"""What stores post when an object lands, as CloudEvents: one `com.amazonaws.s3.ObjectCreated:*` for each created object.

Attributes follow the CloudEvents adapter for S3. Ids come from the store where it sends any, else from the content, so that a notification
that is posted twice becomes the same event. Keys are decoded into `data`; `subject` keeps them percent-encoded, safe in any header.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote_plus

from knoll.errors import InvalidEvent
from knoll.events import OBJECT_CREATED, Event
from knoll.names import digest
from knoll.ports import Platform

__all__ = ["events_from_notification", "receive"]

_FILER_ROOT = "/buckets/"


def receive(body: bytes, platform: Platform) -> None:
    """Publish what a notification tells of the users' buckets: what knoll itself writes is no news, and must never start anything.

    Raises InvalidEvent when the body is no notification; when a publish fails, the store may post it all again.
    """
    for event in events_from_notification(body, platform.clock.now().isoformat()):
        if event.data["s3"]["bucket"]["name"] != platform.settings.model_bucket:
            platform.events.publish(event)


def events_from_notification(body: bytes, received_at: str) -> list[Event]:
    """The created objects of a notification; deletions, folders and test messages have none. Raises InvalidEvent for other bodies."""
    try:
        message = json.loads(body)
    except ValueError as error:
        raise InvalidEvent(f"the notification is not JSON: {error}") from error
    if not isinstance(message, dict):
        raise InvalidEvent("the notification is not a JSON object")
    try:
        if isinstance(message.get("Records"), list):
            return list(_from_records(message["Records"], received_at))
        if "event_type" in message and "key" in message:
            return list(_from_filer(message, received_at))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InvalidEvent(f"the notification lacks or misplaces a field: {type(error).__name__} {error}") from error
    if message.get("Event") == "s3:TestEvent":
        return []
    raise InvalidEvent("the notification is neither of S3's form (Records) nor of SeaweedFS's (event_type, key)")


def _from_records(records: Iterable[Mapping[str, Any]], received_at: str) -> Iterable[Event]:
    for record in records:
        name = str(record["eventName"]).removeprefix("s3:")
        encoded = str(record["s3"]["object"]["key"])
        if not name.startswith("ObjectCreated:") or encoded.endswith("/"):
            continue
        bucket, thing = str(record["s3"]["bucket"]["name"]), record["s3"]["object"]
        answered = record.get("responseElements") or {}
        ids = [str(answered.get(header) or "") for header in ("x-amz-request-id", "x-amz-id-2")]
        yield _created(
            bucket,
            unquote_plus(encoded),
            etag=str(thing.get("eTag") or ""),
            size=int(thing.get("size") or 0),
            id=".".join(ids) if all(ids) else "",
            seal=str(thing.get("versionId") or thing.get("sequencer") or record.get("eventTime") or ""),
            name=name,
            source=f"{record.get('eventSource') or 'aws:s3'}.{record.get('awsRegion') or 'us-east-1'}.{bucket}",
            time=str(record.get("eventTime") or received_at),
        )


def _from_filer(message: Mapping[str, Any], received_at: str) -> Iterable[Event]:
    entry = (message.get("message") or {}).get("new_entry")
    bucket, _, key = str(message["key"]).removeprefix(_FILER_ROOT).partition("/")
    is_internal = bucket.startswith(".") or key.startswith(".uploads/")
    if not entry or entry.get("is_directory") or is_internal or not key or not str(message["key"]).startswith(_FILER_ROOT):
        return
    attributes, extended = entry.get("attributes") or {}, entry.get("extended") or {}
    stamps = [str(chunk.get("modified_ts_ns")) for chunk in entry.get("chunks") or []]
    yield _created(
        bucket,
        key,
        etag=_text(extended.get("Seaweed-X-Amz-ETag") or ""),
        size=int(attributes.get("file_size") or 0),
        id="",
        seal=".".join([str(attributes.get("mtime")), *stamps]),
        name="ObjectCreated:CompleteMultipartUpload" if "X-Seaweedfs-Upload-Id" in extended else "ObjectCreated:Put",
        source=f"seaweedfs:s3.us-east-1.{bucket}",
        time=received_at,
    )


def _created(bucket: str, key: str, *, etag: str, size: int, id: str, seal: str, name: str, source: str, time: str) -> Event:
    return Event(
        id=id or digest([bucket, key, etag, seal, name]),
        source=source,
        type=OBJECT_CREATED + name.removeprefix("ObjectCreated:"),
        time=time,
        subject=quote(key, safe="/-_.~"),
        data={"eventName": name, "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": size, "eTag": etag}}},
    )


def _text(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{encoded!r} is not base64 text") from error
