"""Notifications of SeaweedFS: each is about one entry of its filer, in which buckets are folders. Keys come
as they are."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

from knoll.events import Event, WrongField
from knoll.ingest.created import created

__all__ = ["from_filer"]

_ROOT = "/buckets/"


def from_filer(message: Mapping[str, Any], received_at: str) -> Iterator[Event]:
    """The object that was created. Nothing for folders, deletions, parts of an upload, new tags and new
    rights."""
    told = message.get("message") or {}
    entry, path = told.get("new_entry"), _path(message, told)
    bucket, _, key = path.removeprefix(_ROOT).partition("/")
    is_internal = bucket.startswith(".") or key.startswith(".uploads/")
    if (
        not entry
        or entry.get("is_directory")
        or is_internal
        or not key
        or not path.startswith(_ROOT)
        or _is_only_marked(message, told)
    ):
        return
    extended = entry.get("extended") or {}
    yield created(
        bucket,
        key,
        source=f"seaweedfs:s3.us-east-1.{bucket}",
        time=received_at,
        how="CompleteMultipartUpload" if "X-Seaweedfs-Upload-Id" in extended else "Put",
        etag=_text(extended.get("Seaweed-X-Amz-ETag") or ""),
        size=(entry.get("attributes") or {}).get("file_size"),
        seal=_seal(entry),
    )


def _path(message: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    """Where the entry lies now. If it was renamed, the key is its old place."""
    if message["event_type"] == "rename":
        return f"{told['new_parent_path']}/{told['new_entry']['name']}"
    return str(message["key"])


def _is_only_marked(message: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    """Whether an update changes tags or rights only, and not the content."""
    old, new = told.get("old_entry"), told["new_entry"]
    if message["event_type"] != "update" or not old:
        return False
    return _seal(old) == _seal(new) and old.get("extended") != new.get("extended")


def _seal(entry: Mapping[str, Any]) -> str:
    """When the entry and its chunks were written, which tells two writes apart."""
    stamps = [str(chunk.get("modified_ts_ns")) for chunk in entry.get("chunks") or []]
    return ".".join([str((entry.get("attributes") or {}).get("mtime")), *stamps])


def _text(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise WrongField("an etag is not base64 text") from error
