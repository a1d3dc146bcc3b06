"""What Google and Azure say of a created object, in their own words. Keys come as they are.

Their buckets and containers are read through endpoints that speak S3: bucket or container, and name, are those of s3://bucket/key.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from knoll.events import Event
from knoll.ingest.created import created

__all__ = ["AZURE_CREATED", "GOOGLE_FINALIZED", "from_azure", "from_google", "from_pubsub"]

AZURE_CREATED = "Microsoft.Storage.BlobCreated"
GOOGLE_FINALIZED = "google.cloud.storage.object.v1.finalized"

_BLOB = re.compile(r"(?:.*)/blobServices/default/containers/([^/]+)/blobs/(.*[^/])", re.DOTALL)
_BY_API = {"CopyBlob": "Copy", "PutBlockList": "CompleteMultipartUpload"}
_ONLY_BEGUN = "CreateFile"  # Data Lake Storage makes an empty file first; FlushWithClose tells of the whole one


def from_google(thing: Mapping[str, Any], received_at: str) -> Iterator[Event]:
    """The created object of StorageObjectData, whose `generation` tells each write of a name apart; `size` is a string."""
    bucket, name = str(thing["bucket"]), str(thing["name"])
    if not name.endswith("/"):
        yield created(
            bucket,
            name,
            source=f"//storage.googleapis.com/projects/_/buckets/{bucket}",
            time=str(thing.get("updated") or received_at),
            etag=base64.b64decode(thing.get("md5Hash") or "").hex(),  # as the S3-compatible endpoint gives it
            size=int(thing.get("size") or 0),
            seal=str(thing.get("generation") or ""),
        )


def from_pubsub(message: Mapping[str, Any], received_at: str) -> Iterator[Event]:
    """The same from a Pub/Sub push of a bucket's notification, with or without the object's metadata as its payload."""
    attributes = message["attributes"]
    if attributes["eventType"] == "OBJECT_FINALIZE":
        named = {"bucket": attributes["bucketId"], "name": attributes["objectId"], "generation": attributes.get("objectGeneration")}
        yield from from_google(json.loads(base64.b64decode(message.get("data") or "") or "{}") | named, received_at)


def from_azure(event: Event, received_at: str) -> Iterator[Event]:
    """The created blob of an Event Grid event in CloudEvents form."""
    found = _BLOB.fullmatch(event.subject)
    if found is None:
        raise ValueError("the subject names no blob")
    if event.data["api"] != _ONLY_BEGUN:
        yield created(
            found[1],
            found[2],
            source=event.source,
            time=event.time or received_at,
            how=_BY_API.get(event.data["api"], "Put"),
            etag=str(event.data.get("eTag") or ""),
            size=int(event.data.get("contentLength") or 0),
            id=event.id,
        )
