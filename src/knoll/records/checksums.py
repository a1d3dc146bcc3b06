"""What has been read of the sha256 of a model's data: a cache, overwritten by whoever has read more."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import with_config

from knoll.errors import Rejected
from knoll.names import join
from knoll.ports import Bucket
from knoll.records.record import LENIENT, Record, find, overwrite, reader

__all__ = ["Checksums", "checksums_uri", "find_checksums", "write_checksums"]

Checksums = Mapping[tuple[str, str], str]  # by URI and etag


@with_config(LENIENT)
@dataclass(frozen=True)
class _Stored(Record):
    """Each entry is a URI, an etag and the sha256 in hex."""

    sha256: list[list[str]]


_read = reader(_Stored, "record of checksums")


def _load(body: bytes) -> _Stored:
    """Read the record; knoll 0.1 wrote the list alone."""
    return _read(b'{"sha256": %s}' % body if body.lstrip().startswith(b"[") else body)


def checksums_uri(root: str, model: str) -> str:
    """Where they lie."""
    return join(root, "checksums", f"{model}.json")


def find_checksums(model: str, bucket: Bucket) -> Checksums:
    """What is known; nothing, when that cannot be understood: then it is read again."""
    try:
        found = find(checksums_uri(bucket.root, model), _load, bucket)
        return {(uri, etag): sha256 for uri, etag, sha256 in found.sha256} if found else {}
    except (Rejected, ValueError):
        return {}


def write_checksums(model: str, known: Checksums, bucket: Bucket) -> None:
    """Make this what is known."""
    stored = _Stored([[uri, etag, sha256] for (uri, etag), sha256 in sorted(known.items())])
    overwrite(checksums_uri(bucket.root, model), stored, bucket)
