"""The sha256 of a model's data objects, as far as they were read: a cache that the next reader overwrites."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import with_config

from knoll.names import join
from knoll.ports import Bucket
from knoll.records.record import LENIENT, Record, find_hint, overwrite, reader

__all__ = ["Checksums", "checksums_uri", "known_checksums", "load_checksums", "write_checksums"]

Checksums = Mapping[tuple[str, str], str]  # by URI and etag


@with_config(LENIENT)
@dataclass(frozen=True)
class _Checksums(Record):
    """Each entry is a URI, an etag and the sha256 in hex."""

    sha256: list[list[str]]


_read = reader(_Checksums, "record of checksums")


def load_checksums(body: bytes) -> _Checksums:
    """Read the record; knoll 0.1 wrote the list alone."""
    return _read(b'{"sha256": %s}' % body if body.lstrip().startswith(b"[") else body)


def checksums_uri(root: str, model: str) -> str:
    """URI of the record of a model."""
    return join(root, "checksums", f"{model}.json")


def known_checksums(model: str, bucket: Bucket) -> Checksums:
    """What is known. If the record cannot be read, nothing is: then the data is read again."""
    try:
        found = find_hint(checksums_uri(bucket.root, model), load_checksums, bucket)
        return {(uri, etag): sha256 for uri, etag, sha256 in found.sha256} if found else {}
    except ValueError:
        return {}


def write_checksums(model: str, known: Checksums, bucket: Bucket) -> None:
    """Write what is known, over what lies there."""
    stored = _Checksums([[uri, etag, sha256] for (uri, etag), sha256 in sorted(known.items())])
    overwrite(checksums_uri(bucket.root, model), stored, bucket)
