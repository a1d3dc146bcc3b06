"""Recorded requests are bounded, and the newest of them stay."""

from dataclasses import replace

import pytest

from knoll.adapters.memory.store import MemoryStore
from knoll.ports import Bucket
from knoll.records.recorded import (
    LONGEST,
    MOST_BYTES,
    RecordedRequest,
    find_recorded,
    list_recorded,
    recorded_uri,
    remove_recorded,
    write_recorded,
)
from knoll.records.removal import remove_files
from knoll.records.strays import find_strays
from support.keys import private_key, signer_of

ROOT = "s3://knoll-models"
NOW = 1_767_225_600


@pytest.fixture
def bucket() -> Bucket:
    return Bucket(MemoryStore(), ROOT, private_key(), signer_of().public.pem)


def request(number: int, version: str = "v000001", model: str = "digits", size: int = 2) -> RecordedRequest:
    return RecordedRequest(model, version, f"{number:016x}", NOW + number, "x" * size)


def kept(bucket: Bucket, model: str = "digits") -> list[int]:
    """The numbers of the requests that are kept, newest first."""
    found = [find_recorded(one.info.uri, bucket) for one in list_recorded(bucket, model)]
    return [int(one.id, 16) for one in found if one]


def test_of_all_versions_of_a_model_the_newest_stay(bucket: Bucket) -> None:
    """What comes again, or late, takes nobody's place."""
    write_recorded([request(number, "v000001") for number in (1, 2, 3)], 4, NOW, bucket)
    write_recorded([request(number, "v000002") for number in (4, 5, 6)], 4, NOW, bucket)
    write_recorded([request(1, "v000001"), request(6, "v000002")], 4, NOW, bucket)
    write_recorded([request(9, model="beans")], 4, NOW, bucket)
    assert (kept(bucket), kept(bucket, "beans")) == ([6, 5, 4, 3], [9])


def test_their_bytes_are_bounded_and_their_age(bucket: Bucket) -> None:
    size = MOST_BYTES // 4
    write_recorded([request(number, size=size) for number in range(1, 6)], 200, NOW, bucket)
    assert kept(bucket) == [5, 4, 3]
    write_recorded([request(LONGEST + 5)], 200, NOW + LONGEST + 5, bucket)
    assert kept(bucket) == [LONGEST + 5, 5]


def test_only_what_a_function_has_stamped_is_found_and_the_rest_are_strays(bucket: Bucket) -> None:
    write_recorded([request(1)], 200, NOW, bucket)
    (genuine,) = list_recorded(bucket)
    moved = recorded_uri(ROOT, request(2))
    bucket.store.put(moved, bucket.store.get(genuine.info.uri))
    forged = recorded_uri(ROOT, request(3))
    bucket.store.put(forged, replace(request(3), stamp="QUJD").encode())
    odd = f"{ROOT}/recorded/digits/v000001/now.json"
    bucket.store.put(odd, b"{}")
    assert kept(bucket) == [1]
    assert {f"{ROOT}/{one.key}" for one in find_strays(bucket)} == {moved, forged, odd}


def test_they_go_with_their_version_or_all_at_once(bucket: Bucket) -> None:
    write_recorded([request(1, "v000001"), request(2, "v000002")], 200, NOW, bucket)
    assert remove_files("digits", "v000001", bucket)
    assert kept(bucket) == [2]
    remove_recorded("digits", bucket)
    assert kept(bucket) == []
