"""The contract of `ports.ObjectStore`, on every adapter: in memory and on a real S3 server."""

import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from knoll.adapters.memory.store import MemoryStore
from knoll.adapters.store_arbitrated import ArbitratedStore
from knoll.adapters.store_s3 import PART_SIZE, S3Store
from knoll.errors import AlreadyExists, Conflict, NotFound, Rejected, StoreUnavailable
from knoll.ports import ObjectStore

_buckets = count(1)


@pytest.fixture(params=["memory", "s3", "arbitrated"])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    """One adapter after the other; the last reads back what it has written on a condition."""
    if request.param == "arbitrated":
        return ArbitratedStore(MemoryStore(), "s3://models")
    return MemoryStore() if request.param == "memory" else s3_store(request.getfixturevalue("s3"))


@pytest.fixture
def bucket(store: ObjectStore) -> str:
    """URI of an empty bucket of the test's own."""
    name = f"contract-{next(_buckets)}"
    if isinstance(store, S3Store):
        store.ensure_bucket(name)
        store.ensure_bucket(name)
    return f"s3://{name}"


def s3_store(s3: Any) -> S3Store:
    return S3Store(s3.endpoint, s3.access_key, s3.secret_key, "us-east-1")


@pytest.mark.parametrize("key", ["plain.txt", "a b+c%20d/é😀.png", "=?#;:@,$~'()&!", "trailing ", "..a/b.."])
def test_a_key_comes_back_as_it_was_given(store: ObjectStore, bucket: str, key: str) -> None:
    """Keys are names, not URLs: nothing is encoded, decoded or trimmed."""
    etag = store.put(f"{bucket}/{key}", b"content", content_type="text/plain")
    (info,) = store.list(f"{bucket}/{key}")
    assert (info.uri, info.etag, info.size) == (f"{bucket}/{key}", etag, 7)
    assert info.modified.utcoffset() is not None
    assert store.get(info.uri) == b"content"


def test_a_listing_goes_beyond_a_page_and_is_in_order(store: ObjectStore, bucket: str) -> None:
    """1,003 objects under a prefix come in the order of their keys, and none from beside the prefix."""
    keys = [f"{bucket}/many/{number:04d}" for number in range(1003)]
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda key: store.put(key, b""), [*reversed(keys), f"{bucket}/many-more", f"{bucket}/few/1"]
            )
        )
    assert [info.uri for info in store.list(f"{bucket}/many/")] == keys
    assert [info.uri for info in store.list(f"{bucket}/many/", after=keys[1])] == keys[2:]
    assert len(list(store.list(f"{bucket}/"))) == 1005


def test_keys_are_in_the_order_of_their_bytes_and_a_prefix_is_no_folder(
    store: ObjectStore, bucket: str
) -> None:
    """Capitals come before small letters, other letters after them, and what begins alike is listed alike."""
    keys = ["a", "Z", "a/1", "a0", "é", "\uffee", "😀", "z"]
    for key in keys:
        store.put(f"{bucket}/{key}", b"")
    assert [info.uri.removeprefix(f"{bucket}/") for info in store.list(f"{bucket}/")] == sorted(
        keys, key=str.encode
    )
    assert [info.uri.removeprefix(f"{bucket}/") for info in store.list(f"{bucket}/a")] == ["a", "a/1", "a0"]


@pytest.mark.parametrize(
    "after", ["", "a", "a.", "a/1", "a/2", "a/2.x", "a/2/", "a/9", "b", "b/", "b/z", "😀"]
)
def test_a_listing_can_begin_behind_a_key(store: ObjectStore, bucket: str, after: str) -> None:
    """Only what sorts behind the key is listed, whether it is there, and whether it lies under the prefix."""
    keys = ["a", "a/1", "a/2", "a/2/x", "a/20", "a/é", "a/😀", "b/1"]
    for key in keys:
        store.put(f"{bucket}/{key}", b"")
    for prefix in ("", "a/", "a/2", "b/"):
        wanted = [key for key in keys if key.startswith(prefix) and key.encode() > after.encode()]
        assert [info.uri for info in store.list(f"{bucket}/{prefix}", after=f"{bucket}/{after}")] == [
            f"{bucket}/{key}" for key in wanted
        ]


def test_a_removed_object_can_be_created_again(store: ObjectStore, bucket: str) -> None:
    """A conditional write asks what is there now, and not what has ever been; whoever loses changes nothing,
    the time included."""
    uri = f"{bucket}/key"
    store.put(uri, b"first", if_absent=True)
    store.delete(uri)
    etag = store.put(uri, b"second", if_absent=True)
    before = list(store.list(uri))
    with pytest.raises(AlreadyExists):
        store.put(uri, b"third", if_absent=True)
    assert list(store.list(uri)) == before
    assert store.get(uri, etag=etag) == b"second"


def test_a_missing_bucket_or_object_is_told_apart_from_a_broken_store(
    store: ObjectStore, bucket: str
) -> None:
    """Nothing there is an empty listing and NotFound, and deleting it is no fault."""
    assert list(store.list("s3://no-such-bucket/some/")) == []
    assert list(store.list(f"{bucket}/")) == []
    for uri in ("s3://no-such-bucket/some/key", f"{bucket}/missing"):
        with pytest.raises(NotFound):
            store.get(uri)
        store.delete(uri)


def test_an_object_can_be_replaced_and_removed(store: ObjectStore, bucket: str) -> None:
    """The last write is what is read, an empty object is an object, and removing twice is removing once."""
    uri = f"{bucket}/some/key"
    store.put(uri, b"first")
    store.put(uri, b"")
    assert store.get(uri) == b""
    assert [info.size for info in store.list(f"{bucket}/")] == [0]
    store.delete(uri)
    store.delete(uri)
    assert list(store.list(f"{bucket}/")) == []


def test_an_etag_pins_what_is_read(store: ObjectStore, bucket: str) -> None:
    """The same bytes have the same etag; a read that names an etag gets that object or Conflict."""
    uri = f"{bucket}/key"
    etag = store.put(uri, b"one")
    assert store.put(f"{bucket}/copy", b"one") == etag
    assert store.get(uri, etag=etag) == b"one"
    store.put(uri, b"two")
    with pytest.raises(Conflict):
        store.get(uri, etag=etag)
    with pytest.raises(Conflict):  # the bucket keeps no versions
        store.get(uri, etag=etag, at=next(iter(store.list(uri))).modified)


def test_an_object_can_be_read_in_parts(store: ObjectStore, bucket: str) -> None:
    """Each part is pinned like the whole, so that parts of two objects never mix. Behind the end there are no
    bytes."""
    uri = f"{bucket}/key"
    etag = store.put(uri, b"0123456789")
    assert [store.get(uri, etag=etag, part=range(start, min(start + 4, 10))) for start in (0, 4, 8)] == [
        b"0123",
        b"4567",
        b"89",
    ]
    assert store.get(uri, etag=etag, part=range(8, 20)) == b"89"
    assert store.get(uri, etag=etag, part=range(10, 20)) == b""
    store.put(uri, b"9876543210")
    with pytest.raises(Conflict):
        store.get(uri, etag=etag, part=range(4))


def test_one_of_many_writers_wins(store: ObjectStore, bucket: str) -> None:
    """32 threads create the same object at once: one succeeds, its bytes stay, the others hear that it
    exists."""
    uri = f"{bucket}/once"
    barrier = threading.Barrier(32)

    def create(number: int) -> int | None:
        barrier.wait()
        try:
            store.put(uri, str(number).encode(), if_absent=True)
        except AlreadyExists:
            return None
        return number

    with ThreadPoolExecutor(32) as pool:
        winners = [number for number in pool.map(create, range(32)) if number is not None]
    assert len(winners) == 1
    assert store.get(uri) == str(winners[0]).encode()


def test_a_big_file_arrives_whole_with_a_reproducible_etag(store: ObjectStore, bucket: str) -> None:
    """A file object of several parts comes back byte for byte, and sent again it has the same etag."""
    content = bytes(range(256)) * (PART_SIZE // 128) + b"rest"
    etag = store.put(f"{bucket}/big", io.BytesIO(content))
    assert store.put(f"{bucket}/again", io.BytesIO(content)) == etag
    assert store.get(f"{bucket}/big", etag=etag) == content
    with pytest.raises(AlreadyExists):
        store.put(f"{bucket}/big", io.BytesIO(b"other"), if_absent=True)


@pytest.mark.parametrize("uri", ["http://bucket/key", "bucket/key", "s3://bucket", "s3:///key"])
def test_only_s3_uris_are_looked_up(store: ObjectStore, uri: str) -> None:
    """Any other address is refused, not asked for."""
    use: list[Callable[[], object]] = [lambda: list(store.list(uri)), lambda: store.put(uri, b"")]
    for one in use:
        with pytest.raises(Rejected):
            one()


def test_a_store_that_does_not_answer_is_named(s3: Any) -> None:
    """Nobody listening or wrong keys: StoreUnavailable with its cause, the endpoint and what to check."""
    silent = S3Store("http://127.0.0.1:1", "key", "secret", "us-east-1")
    refused = S3Store(s3.endpoint, s3.access_key, "not the secret", "us-east-1")
    nobody = "http://127.0.0.1:1"
    for store, endpoint, fix in ((silent, nobody, nobody), (refused, s3.endpoint, "KNOLL_S3_SECRET_KEY")):
        with pytest.raises(StoreUnavailable) as caught:
            store.get("s3://bucket/key")
        assert endpoint in str(caught.value)
        assert fix in caught.value.fix
        assert caught.value.__cause__ is not None
        assert "not the secret" not in str(caught.value)


@pytest.fixture
def users_aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of somebody who works with AWS at a company, behind a proxy."""
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[default]\nendpoint_url = http://127.0.0.1:9\ns3 =\n  no")
    (tmp_path / ".aws" / "credentials").write_text("[default\n")
    given = {
        "HOME": str(tmp_path),
        "AWS_PROFILE": "team-sso",
        "AWS_DEFAULT_PROFILE": "team-sso",
        "AWS_SESSION_TOKEN": "of another account",
        "AWS_CA_BUNDLE": str(tmp_path / "missing.pem"),
        "REQUESTS_CA_BUNDLE": str(tmp_path / "missing.pem"),
        "AWS_CONFIG_FILE": str(tmp_path / ".aws" / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / ".aws" / "credentials"),
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
        "AWS_DEFAULTS_MODE": "no-such-mode",
        "AWS_RETRY_MODE": "no-such-mode",
        "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT": "no-such-mode",
        "AWS_S3_USE_ARN_REGION": "no-such-mode",
        **dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"), "http://127.0.0.1:9"),
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("users_aws")
def test_a_server_with_keys_of_its_own_needs_nothing_that_is_meant_for_aws(s3: Any) -> None:
    """Neither a profile, files and variables of AWS nor a proxy reach a server on this machine."""
    assert list(s3_store(s3).list("s3://no-such-bucket/")) == []


@pytest.mark.usefixtures("users_aws")
@pytest.mark.parametrize("endpoint", ["", "http://127.0.0.1:1"])
def test_where_the_keys_come_from_aws_a_fault_names_the_profile(endpoint: str) -> None:
    """The error says what is wrong there, and its fix names AWS_PROFILE."""
    with pytest.raises(StoreUnavailable, match=r"\.aws/config") as caught:
        S3Store(endpoint, "", "", "us-east-1").get("s3://bucket/key")
    assert "AWS_PROFILE" in caught.value.fix
