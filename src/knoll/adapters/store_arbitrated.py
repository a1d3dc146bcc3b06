"""Conditional writes with one winner, also on a store that checks first and writes then.

S3 lets one of many writers win; so do SeaweedFS and versitygw 1.8. moto checks whether the object is there
and writes it afterwards, so writers that come in the same moment may all hear that they were first. Each
writer then reads the object back; if it finds the bytes of another, it has lost. Two can still win: the
second checks before the first writes, and writes after the first has read back. So such a store is good
enough to try knoll, where the API server decides about Jobs, but not for work that counts. A probe finds out
which kind a store is; until then, writers read back.
"""

import threading
import time
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any, BinaryIO

from knoll.errors import AlreadyExists, NewerSchema
from knoll.names import join
from knoll.ports import Bucket, ObjectInfo, ObjectStore
from knoll.records.probe import find_probe, probes_uri, write_probe

__all__ = ["ArbitratedStore", "probe", "probe_once"]

_WRITERS, _KEYS = 16, 50
_HOUR = timedelta(hours=1)
_PATIENCE = 5.0  # seconds; SeaweedFS lets writers of one key wait a second for each other


class ArbitratedStore:
    """`ports.ObjectStore` over another one; `root` is the URI of the model bucket, where the probe is."""

    def __init__(self, store: ObjectStore, root: str) -> None:
        self._store, self._root = store, root
        self._is_atomic: bool | None = None

    def list(self, prefix: str, **options: Any) -> Iterable[ObjectInfo]:
        """See `ports.ObjectStore.list`."""
        return self._store.list(prefix, **options)

    def get(self, uri: str, **options: Any) -> bytes:
        """See `ports.ObjectStore.get`."""
        return self._store.get(uri, **options)

    def put(
        self, uri: str, body: bytes | BinaryIO, *, if_absent: bool = False, content_type: str = ""
    ) -> str:
        """See `ports.ObjectStore.put`."""
        if not if_absent or self._trusts():
            return self._store.put(uri, body, if_absent=if_absent, content_type=content_type)
        content = body if isinstance(body, bytes) else body.read()
        etag = self._store.put(uri, content, if_absent=True, content_type=content_type)
        if self._store.get(uri) != content:
            raise AlreadyExists(
                f"{uri} exists already: another writer came in the same moment", fix="read it back"
            )
        return etag

    def delete(self, uri: str) -> None:
        """See `ports.ObjectStore.delete`."""
        self._store.delete(uri)

    def ensure_bucket(self, name: str) -> None:
        """Create the bucket, if the store behind this one has buckets."""
        ensure = getattr(self._store, "ensure_bucket", None)
        if ensure is not None:
            ensure(name)

    def _trusts(self) -> bool:
        """Whether a probe found that the store lets one writer win; looked up until there is a result."""
        if self._is_atomic is None:
            self._is_atomic = _find_result(Bucket(self._store, self._root))
        return bool(self._is_atomic)


def probe_once(store: ObjectStore, root: str, now: datetime) -> bool:
    """Whether the conditional writes of this store are atomic; found out now if that is not known."""
    bucket = Bucket(store, root)
    _clear_leftovers(store, root, now)
    known = _find_result(bucket)
    if known is not None:
        return known
    found = probe(store, root)
    write_probe(found, now.isoformat(), _WRITERS, _KEYS, bucket)
    return found


def probe(store: ObjectStore, root: str, writers: int = _WRITERS, keys: int = _KEYS) -> bool:
    """Whether exactly one of so many writers at once wins each of so many keys.

    It ends at the first key with no winner or several, or after some seconds: then the keys so far count.
    """
    until = time.monotonic() + _PATIENCE
    place = probes_uri(root) + uuid.uuid4().hex
    start = threading.Barrier(writers)

    def try_to_win(uri: str, writer: int) -> bool:
        start.wait()
        try:
            store.put(uri, str(writer).encode(), if_absent=True)
        except AlreadyExists:
            return False
        return True

    with ThreadPoolExecutor(writers) as pool:
        try:
            uris = takewhile(
                lambda _: time.monotonic() < until, (join(place, str(key)) for key in range(keys))
            )
            return all(sum(pool.map(try_to_win, [uri] * writers, range(writers))) == 1 for uri in uris)
        finally:
            list(pool.map(store.delete, [one.uri for one in store.list(join(place, ""))]))


def _clear_leftovers(store: ObjectStore, root: str, now: datetime) -> None:
    """Delete the objects that killed probes left, after one hour. A probe that runs now keeps its own."""
    for one in list(store.list(probes_uri(root))):
        if now - one.modified > _HOUR:
            store.delete(one.uri)


def _find_result(bucket: Bucket) -> bool | None:
    """Whether conditional writes are atomic; None if there was no probe. A record that only a newer
    knoll understands is no reason to trust a store."""
    try:
        found = find_probe(bucket)
    except NewerSchema:
        return False
    return found.is_atomic if found else None
