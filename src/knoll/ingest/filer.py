"""Notifications of SeaweedFS: each tells of one entry of its filer, below which buckets are folders. Keys come as they are."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

from knoll.events import Event
from knoll.ingest.created import created

__all__ = ["from_filer"]

_ROOT = "/buckets/"


def from_filer(message: Mapping[str, Any], received_at: str) -> Iterator[Event]:
    """The created object, if it is one: folders, deletions and the parts of an upload are none."""
    entry = (message.get("message") or {}).get("new_entry")
    bucket, _, key = str(message["key"]).removeprefix(_ROOT).partition("/")
    is_internal = bucket.startswith(".") or key.startswith(".uploads/")
    if not entry or entry.get("is_directory") or is_internal or not key or not str(message["key"]).startswith(_ROOT):
        return
    attributes, extended = entry.get("attributes") or {}, entry.get("extended") or {}
    stamps = [str(chunk.get("modified_ts_ns")) for chunk in entry.get("chunks") or []]
    yield created(
        bucket,
        key,
        source=f"seaweedfs:s3.us-east-1.{bucket}",
        time=received_at,
        how="CompleteMultipartUpload" if "X-Seaweedfs-Upload-Id" in extended else "Put",
        etag=_text(extended.get("Seaweed-X-Amz-ETag") or ""),
        size=int(attributes.get("file_size") or 0),
        seal=".".join([str(attributes.get("mtime")), *stamps]),
    )


def _text(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{encoded!r} is not base64 text") from error
