"""Created objects in the words of Google and Azure.

Names come as they are. Azure's `url` has the name percent-encoded, and is not read. Buckets and containers
are read through endpoints that speak S3: bucket or container, and name, are those of s3://bucket/key.
"""

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from knoll.events import Event, WrongField, read_json
from knoll.ingest.created import created

__all__ = ["AZURE_CREATED", "GOOGLE_FINALIZED", "from_azure", "from_event_grid", "from_google", "from_pubsub"]

AZURE_CREATED = "Microsoft.Storage.BlobCreated"
GOOGLE_FINALIZED = "google.cloud.storage.object.v1.finalized"

_CONTAINERS, _BLOBS = "/blobServices/default/containers/", "/blobs/"
_BY_API = {"CopyBlob": "Copy", "PutBlockList": "CompleteMultipartUpload"}
# Data Lake Storage makes an empty file first; FlushWithClose tells of the whole one
_ONLY_BEGUN = "CreateFile"


def from_google(thing: Mapping[str, Any], received_at: str) -> Iterator[Event]:
    """The created object in StorageObjectData. Each write of a name has its own `generation`; `size` is a
    string."""
    bucket, name = thing["bucket"], thing["name"]
    if not str(name).endswith("/"):
        yield created(
            bucket,
            name,
            source=f"//storage.googleapis.com/projects/_/buckets/{bucket}",
            time=thing.get("updated"),
            received_at=received_at,
            etag=base64.b64decode(thing.get("md5Hash") or "").hex(),  # as the S3-compatible endpoint gives it
            size=thing.get("size"),
            seal=str(thing.get("generation") or ""),
        )


def from_pubsub(message: Mapping[str, Any], received_at: str) -> Iterator[Event]:
    """The created object in a Pub/Sub push of a bucket's notification; its payload, the metadata, may be
    empty."""
    attributes = message["attributes"]
    if attributes["eventType"] == "OBJECT_FINALIZE":
        named = {
            "bucket": attributes["bucketId"],
            "name": attributes["objectId"],
            "generation": attributes.get("objectGeneration"),
        }
        yield from from_google(
            read_json(base64.b64decode(message.get("data") or "") or "{}", "the payload") | named, received_at
        )


def from_azure(event: Event, received_at: str) -> Iterator[Event]:
    """The created blob in an Event Grid event in CloudEvents form."""
    return _from_blob(
        event.subject, event.data, received_at, source=event.source, time=event.time, id=event.id
    )


def from_event_grid(message: Mapping[str, Any], received_at: str) -> Iterator[Event]:
    """The created blob in an event in Event Grid's own form; events of other types have none."""
    if message["eventType"] == AZURE_CREATED:
        topic, id = str(message.get("topic") or ""), str(message.get("id") or "")
        yield from _from_blob(
            message["subject"],
            message["data"],
            received_at,
            source=topic,
            time=message.get("eventTime"),
            id=id,
        )


def _from_blob(
    subject: str, thing: Mapping[str, Any], received_at: str, *, source: str, time: Any, id: str
) -> Iterator[Event]:
    container, blobs, name = subject.partition(_CONTAINERS)[2].partition(_BLOBS)
    if not blobs:
        raise WrongField("the subject names no blob")
    if thing["api"] != _ONLY_BEGUN and not name.endswith("/"):
        yield created(
            container,
            name,
            source=source,
            time=time,
            received_at=received_at,
            how=_BY_API.get(thing["api"], "Put"),
            etag=thing.get("eTag"),
            size=thing.get("contentLength"),
            id=id,
        )
