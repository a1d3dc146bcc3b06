"""The sha256 of a dataset's objects, each read once for as long as its etag is the same.

A store gives no sha256 of what it holds: an etag is an MD5 at most. What has been read is kept in the model
bucket, one record for each model. That is a cache, which may be lost or overwritten by somebody who has read
less: then it is read again. A look reads for some seconds only, and the next one goes on, so that a function
ends in time; one object is always read to its end.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

from knoll.errors import Conflict, NotFound
from knoll.models import Model
from knoll.ports import ObjectInfo, ObjectStore, Platform
from knoll.records.checksums import checksums_uri

__all__ = ["Checksums", "known_checksums", "read_checksums"]

Checksums = Mapping[tuple[str, str], str]  # by URI and etag

_READERS = 4
_PART = 8 * 2**20  # bytes
_TIME = timedelta(seconds=10)


def known_checksums(model: Model, platform: Platform) -> Checksums:
    """What has been read before; nothing, when that cannot be understood."""
    with suppress(NotFound, ValueError, TypeError):
        record = json.loads(platform.store.get(checksums_uri(platform.settings.model_root, model.name)))
        return {(str(uri), str(etag)): str(sha256) for uri, etag, sha256 in record}
    return {}


def read_checksums(
    model: Model, unread: Sequence[ObjectInfo], listing: Iterable[ObjectInfo], platform: Platform
) -> Checksums:
    """Read some of the objects, and keep what is known then of those that are in the listing."""
    until = platform.clock.now() + _TIME

    def read(one: ObjectInfo) -> tuple[tuple[str, str], str] | None:
        if platform.clock.now() >= until:
            return None
        with suppress(Conflict, NotFound):  # it has just changed: the next listing shows it
            return (one.uri, one.etag), _sha256(one, platform.store)
        return None

    with ThreadPoolExecutor(_READERS) as readers:
        found = dict(filter(None, readers.map(read, unread)))
    there = {(one.uri, one.etag) for one in listing}
    known = {
        state: sha256
        for state, sha256 in {**known_checksums(model, platform), **found}.items()
        if state in there
    }
    record = json.dumps([[uri, etag, sha256] for (uri, etag), sha256 in sorted(known.items())])
    platform.store.put(
        checksums_uri(platform.settings.model_root, model.name),
        record.encode(),
        content_type="application/json",
    )
    return known


def _sha256(one: ObjectInfo, store: ObjectStore) -> str:
    state = hashlib.sha256()
    for start in range(0, one.size, _PART):
        state.update(store.get(one.uri, etag=one.etag, part=range(start, min(start + _PART, one.size))))
    return state.hexdigest()
