"""The objects of a dataset, each in exactly the state that the run's snapshot names, whenever it is read.

What is read comes from the cache on disk, or from the store with the etag of the snapshot. If an object has
changed, and the bucket keeps versions, the version from the time of the run's record is read. So a run that
was opened too late does not go back to data that was replaced before. If the bucket keeps no versions, the
run ends.
"""

import hashlib
import math
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from knoll.errors import Conflict, KnollError, NotFound, StoreUnavailable
from knoll.ports import ObjectStore
from knoll.records.dataset import DatasetObject
from knoll.records.progress import DataRead
from knoll.trainer.disk_cache import DiskCache

__all__ = ["DataChanged", "Objects", "ReadingMeter", "Told"]

_PART = 4 * 2**20  # bytes of a large object that are in memory while its sha256 is taken
_TELL_SECONDS = 1.0

Told = Callable[[DataRead], None]


class DataChanged(KnollError):
    """The data is no longer in the state that the run trains on."""


class ReadingMeter:
    """Counts what is read for the first time, and tells about once a second how much that is."""

    def __init__(self, objects: Sequence[DatasetObject], told: Told) -> None:
        self._count, self._size = len(objects), sum(one.size for one in objects)
        self._told, self._last = told, 0.0
        self._lock = threading.Lock()
        self._seen: set[tuple[str, int]] = set()
        self._files: set[str] = set()
        self._read = 0

    def add(self, uri: str, start: int, size: int) -> None:
        """So many bytes of an object were read from `start` on."""
        with self._lock:
            if (uri, start) in self._seen:
                return
            self._seen.add((uri, start))
            self._files.add(uri)
            self._read = min(self._read + size, self._size)
            if time.monotonic() - self._last >= _TELL_SECONDS:
                self._last = time.monotonic()
                self._told(DataRead(len(self._files), self._count, self._read, self._size))

    def close(self) -> None:
        """Tell that all is read, and then nothing more."""
        with self._lock:
            self._last = math.inf
            self._told(DataRead(self._count, self._count, self._size, self._size))


class Objects:
    """Reads the objects of a run that was `opened` at that time. Threads may share it.

    Each read raises the error that `changed` makes if the object has changed, and StoreUnavailable if the
    store contradicts itself: its bytes are not those that the snapshot names under that etag.
    """

    def __init__(
        self,
        store: ObjectStore,
        opened: datetime | None,
        cache: DiskCache | None,
        meter: ReadingMeter,
        changed: Callable[[str], KnollError],
    ) -> None:
        self._store, self._opened, self._cache, self._meter = store, opened, cache, meter
        self._changed = changed

    def whole(self, one: DatasetObject) -> bytes:
        """The object."""
        return self.read_and_keep(one, range(one.size), lambda: self._whole(one))

    def read_and_keep(self, one: DatasetObject, place: range, read: Callable[[], bytes]) -> bytes:
        """What was made of a part of the object: as the cache has it; else as `read` does it, and then the
        cache keeps it."""
        name = "\n".join([one.uri, one.etag, one.sha256, str(place)])
        body = self._cache.find(name) if self._cache else None
        if body is None:
            body = read()
            if self._cache:
                self._cache.keep(name, body)
        self._meter.add(one.uri, place.start, len(place))
        return body

    def part(self, one: DatasetObject, place: range) -> bytes:
        """Some bytes of the object, from the store."""
        body = self._get(one, place) if place else b""
        if len(body) != len(place):
            raise StoreUnavailable(f"{one.uri} came with {len(body)} of the {len(place)} bytes of a part")
        return body

    def check(self, one: DatasetObject) -> None:
        """Read all of a large object, part by part, if the snapshot has its sha256."""
        if one.sha256:
            state = hashlib.sha256()
            for start in range(0, one.size, _PART):
                state.update(self.part(one, range(start, min(start + _PART, one.size))))
            _check_sha256(one, state.hexdigest())

    def _whole(self, one: DatasetObject) -> bytes:
        body = self._get(one)
        if len(body) != one.size:
            raise StoreUnavailable(f"{one.uri} came with {len(body)} bytes, and had {one.size}")
        if one.sha256:
            _check_sha256(one, hashlib.sha256(body).hexdigest())
        return body

    def _get(self, one: DatasetObject, part: range | None = None) -> bytes:
        try:
            return self._store.get(one.uri, etag=one.etag, at=self._opened, part=part)
        except (Conflict, NotFound) as error:
            if self._is_listed(one):
                raise StoreUnavailable(
                    f"{one.uri} is listed with etag {one.etag}, and cannot be read with it: {error}"
                ) from error
            raise self._changed(str(error)) from error

    def _is_listed(self, one: DatasetObject) -> bool:
        """Whether the store lists the object with the etag of the snapshot: then it has come back."""
        shown = self._store.list(one.uri)
        return any((other.uri, other.etag) == (one.uri, one.etag) for other in shown)


def _check_sha256(one: DatasetObject, found: str) -> None:
    if found != one.sha256:
        raise StoreUnavailable(
            f"{one.uri} came with sha256 {found}, and had {one.sha256} under the same etag when it landed"
        )
