"""An object store in memory, with the rules of the real ones, so that a stage can be tested without a server.

It keeps the whole contract of `ObjectStore`: conditional writes with one winner, etags that pin a read,
listings in the order of keys.
"""

import hashlib
import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO

from knoll.errors import AlreadyExists, Conflict, NotFound, Rejected
from knoll.names import split_uri
from knoll.ports import ObjectInfo

__all__ = ["MemoryStore"]


@dataclass(frozen=True)
class _StoredObject:
    body: bytes
    info: ObjectInfo


def _utc_now() -> datetime:
    return datetime.now(UTC)


class MemoryStore:
    """Objects in a dict; safe to use from several threads. `now` is the store's clock; with `keeps_versions`
    nothing is ever lost."""

    def __init__(self, now: Callable[[], datetime] = _utc_now, *, keeps_versions: bool = False) -> None:
        self._now = now
        self._keeps_versions = keeps_versions
        self._past: dict[str, list[tuple[_StoredObject, datetime]]] = {}  # with the time of their end
        self._lock = threading.Lock()
        self._objects: dict[str, _StoredObject] = {}
        self._order: list[str] = []  # by code points, which is the order of their UTF-8 bytes

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """All objects under `prefix` and behind `after`, as they are at the moment of the call."""
        split_uri(prefix)
        with self._lock:
            found = [self._objects[uri].info for uri in self._under(prefix, after)]
        return iter(found)

    def get(
        self, uri: str, *, etag: str = "", at: datetime | None = None, part: range | None = None
    ) -> bytes:
        """The object's bytes. Raises NotFound, or Conflict if its etag is not `etag`, and was not at that
        time."""
        with self._lock:
            stored = self._objects.get(uri)
            if etag and at and (stored is None or stored.info.etag != etag):
                stored = self._was(uri, etag, at) or stored
        if stored is None:
            raise NotFound(f"{uri} does not exist")
        if etag and stored.info.etag != etag:
            raise Conflict(f"{uri} has etag {stored.info.etag}, not {etag}")
        return stored.body[part.start : part.stop] if part else stored.body

    def put(
        self,
        uri: str,
        body: bytes | BinaryIO,
        *,
        if_absent: bool = False,
        content_type: str = "",  # noqa: ARG002
    ) -> str:
        """Write the object. Raises AlreadyExists with `if_absent` when it is there."""
        _, key = split_uri(uri)
        if not key:
            raise Rejected(f"{uri} names a bucket, not an object")
        content = body if isinstance(body, bytes) else body.read()
        etag = hashlib.md5(content, usedforsecurity=False).hexdigest()
        with self._lock:
            if if_absent and uri in self._objects:
                raise AlreadyExists(f"{uri} exists")
            info = ObjectInfo(uri, etag, len(content), self._now())
            if uri not in self._objects:
                insort(self._order, uri)
            self._remember(uri)
            self._objects[uri] = _StoredObject(content, info)
        return info.etag

    def delete(self, uri: str) -> None:
        """Remove the object if it is there."""
        with self._lock:
            self._remember(uri)
            if self._objects.pop(uri, None) is not None:
                del self._order[bisect_left(self._order, uri)]

    def _remember(self, uri: str) -> None:
        if self._keeps_versions and uri in self._objects:
            self._past.setdefault(uri, []).append((self._objects[uri], self._now()))

    def _was(self, uri: str, etag: str, at: datetime) -> _StoredObject | None:
        past = self._past.get(uri, [])
        return next(
            (one for one, end in past if one.info.etag == etag and one.info.modified <= at < end), None
        )

    def _under(self, prefix: str, after: str) -> Sequence[str]:
        """The URIs that start with `prefix`: they stand next to each other."""
        first = max(bisect_left(self._order, prefix), bisect_right(self._order, after))
        return self._order[
            first : bisect_right(self._order, prefix, first, key=lambda uri: uri[: len(prefix)])
        ]
