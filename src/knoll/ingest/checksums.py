"""The sha256 of a dataset's objects: an object is read once, and again only if its etag changes.

A store gives no sha256 of what it holds; an etag is an MD5 at most. What was read is kept in the model
bucket, one record a model. That is a cache: if it is lost, or overwritten by a look that has read less, the
objects are read again. A call of the function reads for some seconds only, for all its Models, so that it
ends in time, and the next one goes on. An object is always read to its end.
"""

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta

from knoll.errors import Conflict, NotFound
from knoll.models import Model
from knoll.ports import ObjectInfo, ObjectStore, Platform
from knoll.records.checksums import Checksums, known_checksums, write_checksums

__all__ = ["end_of_reading", "learn_checksums"]

_READERS = 4
_PART = 8 * 2**20  # bytes
_TIME = timedelta(seconds=10)


def end_of_reading(platform: Platform) -> datetime:
    """When the call that begins now stops to read."""
    return platform.clock.now() + _TIME


def learn_checksums(
    model: Model,
    unread: Sequence[ObjectInfo],
    listing: Iterable[ObjectInfo],
    until: datetime,
    platform: Platform,
) -> Checksums:
    """Read some of the objects, and write down what is known of those in the listing. It begins with none
    after `until`."""

    def read(one: ObjectInfo) -> tuple[tuple[str, str], str] | None:
        if platform.clock.now() >= until:
            return None
        with suppress(Conflict, NotFound):  # it has just changed: the next listing shows it
            return (one.uri, one.etag), _sha256(one, platform.store)
        return None

    with ThreadPoolExecutor(_READERS) as readers:
        found = dict(filter(None, readers.map(read, unread)))
    there = {(one.uri, one.etag) for one in listing}
    all_known = {**known_checksums(model.name, platform.bucket), **found}
    known = {state: sha256 for state, sha256 in all_known.items() if state in there}
    write_checksums(model.name, known, platform.bucket)
    return known


def _sha256(one: ObjectInfo, store: ObjectStore) -> str:
    state = hashlib.sha256()
    for start in range(0, one.size, _PART):
        state.update(store.get(one.uri, etag=one.etag, part=range(start, min(start + _PART, one.size))))
    return state.hexdigest()
