"""Conditional writes with one winner, also on a store that checks first and writes then.

S3 lets one of many writers win. versitygw on a file system and moto look whether the object is there and
write it afterwards, so writers that come in the same moment may all be told that they were first. Each reads
back what lies there, and whoever finds another's bytes has lost. That leaves one way for two to win: a writer
that had looked before the first one wrote, and writes after it has read. So such a store is good enough to
try knoll, where the API server decides about Jobs, and not for work that counts. A probe finds out which kind
a store is; until it has, writers read back.
"""

import json
import threading
import time
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import takewhile
from typing import Any, BinaryIO

from knoll.errors import AlreadyExists, NotFound
from knoll.names import join
from knoll.ports import ObjectInfo, ObjectStore
from knoll.records.probe import probe_uri

__all__ = ["ArbitratedStore", "probe", "probe_once"]

_WRITERS, _KEYS = 16, 50
_PATIENCE = 5.0  # seconds; SeaweedFS lets writers of one key wait a second for each other


class ArbitratedStore:
    """`ports.ObjectStore` over another one; `root` is the URI of the model bucket, where the verdict of the
    probe lies."""

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
        """Create the bucket, where the store behind this one has buckets."""
        ensure = getattr(self._store, "ensure_bucket", None)
        if ensure is not None:
            ensure(name)

    def _trusts(self) -> bool:
        """Whether the store has been found to let one writer win; asked again until there is a verdict."""
        if self._is_atomic is None:
            self._is_atomic = _verdict(self._store, self._root)
        return bool(self._is_atomic)


def probe_once(store: ObjectStore, root: str, now: datetime) -> bool:
    """The verdict on this store, found out now if nobody has before: whether its conditional writes are
    atomic."""
    known = _verdict(store, root)
    if known is not None:
        return known
    found = probe(store, root)
    body = {
        "conditionalWrites": "atomic" if found else "check, then write",
        "at": now.isoformat(),
        "writers": _WRITERS,
        "keys": _KEYS,
    }
    store.put(probe_uri(root), json.dumps(body, indent=1).encode(), content_type="application/json")
    return found


def probe(store: ObjectStore, root: str, writers: int = _WRITERS, keys: int = _KEYS) -> bool:
    """Whether, of so many writers at once, one wins each of so many keys. Ends at the first key that has none
    or several winners, or after some seconds: then the keys so far count."""
    until = time.monotonic() + _PATIENCE
    place = join(root, "probes", uuid.uuid4().hex)
    start = threading.Barrier(writers)

    def wins(uri: str, writer: int) -> bool:
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
            return all(sum(pool.map(wins, [uri] * writers, range(writers))) == 1 for uri in uris)
        finally:
            list(pool.map(store.delete, [one.uri for one in store.list(join(place, ""))]))


def _verdict(store: ObjectStore, root: str) -> bool | None:
    try:
        return bool(json.loads(store.get(probe_uri(root)))["conditionalWrites"] == "atomic")
    except (NotFound, ValueError, KeyError, TypeError):
        return None
