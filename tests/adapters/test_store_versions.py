"""The contract of `ports.ObjectStore.get` for buckets that keep versions, on every adapter: what was there
can still be read."""

from collections.abc import Callable
from datetime import datetime
from itertools import count
from typing import Any

import boto3
import pytest

from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.store import MemoryStore
from knoll.adapters.store_s3 import S3Store
from knoll.errors import Conflict, NotFound
from knoll.ports import ObjectStore

_buckets = count(1)


@pytest.fixture(params=["memory", "s3"])
def kept(
    request: pytest.FixtureRequest, until: Callable[..., None]
) -> tuple[ObjectStore, str, Callable[[], datetime]]:
    """A store, the URI of a bucket of it that keeps versions, and the store's time: whatever is written
    afterwards is later."""
    name = f"versions-{next(_buckets)}"
    if request.param == "memory":
        clock = MemoryClock(step=1.0)
        return MemoryStore(clock.now, keeps_versions=True), f"s3://{name}", clock.now
    s3 = request.getfixturevalue("s3")
    store = S3Store(s3.endpoint, s3.access_key, s3.secret_key, "us-east-1")
    store.ensure_bucket(name)
    keys = {"aws_access_key_id": s3.access_key, "aws_secret_access_key": s3.secret_key}
    client: Any = boto3.client("s3", endpoint_url=s3.endpoint, region_name="us-east-1", **keys)
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})

    def written_now() -> datetime:
        store.put(f"s3://{name}/.clock", b"")
        (clock,) = store.list(f"s3://{name}/.clock")
        return clock.modified

    def now() -> datetime:
        """The time of the store, once it has gone on: S3 tells it in seconds."""
        time = written_now()
        until(lambda: written_now() > time)
        return time

    return store, f"s3://{name}", now


def test_what_was_the_object_at_a_time_is_read_after_it_was_overwritten_or_deleted(
    kept: tuple[ObjectStore, str, Callable[[], datetime]],
) -> None:
    """Named by its etag and a time at which it was the object, whole or in part, and beside other keys that
    begin like it."""
    store, bucket, now = kept
    uri = f"{bucket}/a b+c/é"
    etag = store.put(uri, b"one, first")
    then = now()
    store.put(uri, b"two")
    store.put(f"{uri}-longer", b"one, first")
    assert store.get(uri, etag=etag, at=then) == b"one, first"
    store.delete(uri)
    assert store.get(uri, etag=etag, at=then) == b"one, first"
    assert store.get(uri, etag=etag, at=then, part=range(5, 8)) == b"fir"


def test_what_was_not_the_object_at_that_time_is_not_read(
    kept: tuple[ObjectStore, str, Callable[[], datetime]],
) -> None:
    """Neither what had been overwritten by then, nor what came later: whoever began too late must not work on
    the past."""
    store, bucket, now = kept
    uri = f"{bucket}/key"
    first = store.put(uri, b"one")
    with pytest.raises(Conflict):
        store.get(uri, etag="0" * 32, at=now())
    second = store.put(uri, b"two")
    then = now()
    third = store.put(uri, b"three")
    for etag in (first, "0" * 32):
        with pytest.raises(Conflict):
            store.get(uri, etag=etag, at=then)
    assert store.get(uri, etag=second, at=then) == b"two"
    assert store.get(uri, etag=third, at=then) == b"three"  # it is the object now
    store.delete(uri)
    gone = now()
    with pytest.raises(NotFound):
        store.get(uri, etag=third, at=gone)
