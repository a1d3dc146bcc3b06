"""Notifications of AWS S3, and of the stores that follow it: one record for each object.

AWS, MinIO and moto form-encode keys; MinIO and moto encode slashes, too. Ceph, versitygw and EventBridge send
keys as they are. Only the sender's name and habits show which. An unknown sender is read as AWS. If that is
wrong, an odd key lands with the next sweep, because the listing is the truth.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote_plus

from knoll.events import Event, WrongField
from knoll.ingest.created import created

__all__ = ["from_event_bridge", "from_records"]

_CEPH = "ceph:s3"
_ONLY_MARKED = ("Tagging", "Retention", "LegalHold", "Acl")
_BY_REASON = {
    "CopyObject": "Copy",
    "CompleteMultipartUpload": "CompleteMultipartUpload",
    "POST Object": "Post",
}


def from_records(records: Iterable[Mapping[str, Any]], received_at: str) -> Iterator[Event]:
    """The created objects in the records. Raises KeyError, TypeError, AttributeError or ValueError if one is
    no record."""
    for record in records:
        name = str(record["eventName"]).removeprefix("s3:")
        key = _key(record)
        if _is_creation(record, name) and not key.endswith("/"):
            yield _from_record(record, name.removeprefix("ObjectCreated:"), key, received_at)


def from_event_bridge(message: Mapping[str, Any], received_at: str) -> Iterator[Event]:
    """The created object in an EventBridge event of S3; others have none. moto writes eTag, AWS etag."""
    if message["source"] != "aws.s3" or message["detail-type"] != "Object Created":
        return
    bucket, thing = message["detail"]["bucket"]["name"], message["detail"]["object"]
    if not str(thing["key"]).endswith("/"):
        yield created(
            bucket,
            thing["key"],
            source=f"aws:s3.{message['region']}.{bucket}",
            time=message.get("time"),
            received_at=received_at,
            how=_BY_REASON.get(str(message["detail"].get("reason")), "Put"),
            etag=thing.get("etag") or thing.get("eTag"),
            size=thing.get("size"),
            seal=_seal(message.get("id"), message.get("time"), thing.get("sequencer")),
        )


def _from_record(record: Mapping[str, Any], how: str, key: str, received_at: str) -> Event:
    bucket, thing = record["s3"]["bucket"]["name"], record["s3"]["object"]
    answered = record.get("responseElements") or {}
    ids = [str(answered.get(header) or "") for header in ("x-amz-request-id", "x-amz-id-2")]
    return created(
        bucket,
        key,
        source=f"{record.get('eventSource') or 'aws:s3'}.{record.get('awsRegion') or 'us-east-1'}.{bucket}",
        time=record.get("eventTime"),
        received_at=received_at,
        how=how,
        etag=thing.get("eTag"),
        size=thing.get("size"),
        seal=_seal(thing.get("versionId"), thing.get("sequencer"), record.get("eventTime")),
        id=".".join(ids) if all(ids) else "",
    )


def _seal(*marks: Any) -> str:
    return ".".join(str(mark or "") for mark in marks)


def _key(record: Mapping[str, Any]) -> str:
    key = record["s3"]["object"]["key"]
    if not isinstance(key, str):
        raise WrongField("a key is a text")
    return key if record.get("eventSource") == _CEPH or _is_from_versitygw(record) else unquote_plus(key)


def _is_from_versitygw(record: Mapping[str, Any]) -> bool:
    """Whether versitygw sent it: its name is aws:s3, but only it writes PrincipalId with a capital letter."""
    return "PrincipalId" in (record.get("userIdentity") or {})


def _is_creation(record: Mapping[str, Any], name: str) -> bool:
    """Whether it is about a new object. Ceph also says Post when a multipart upload begins, MinIO also calls
    new tags and locks creations."""
    is_only_begun = record.get("eventSource") == _CEPH and name == "ObjectCreated:Post"
    return name.startswith("ObjectCreated:") and not name.endswith(_ONLY_MARKED) and not is_only_begun
