"""Snapshots of data, as they are found in the model bucket."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from knoll.adapters.memory.store import MemoryStore
from knoll.ports import Bucket, ObjectInfo
from knoll.records.dataset import Dataset, DatasetObject, find_newest_dataset, write_dataset
from knoll.records.record import MOST_BYTES


class Longer(MemoryStore):
    """A store that lists each object as so many bytes long."""

    size, read = 0, 0

    def list(self, prefix: str, **options: Any) -> Iterator[ObjectInfo]:
        return (replace(one, size=self.size) for one in super().list(prefix, **options))

    def get(self, uri: str, **options: Any) -> bytes:
        self.read += 1
        return super().get(uri, **options)


@pytest.mark.parametrize(("size", "reads"), [(MOST_BYTES, 1), (MOST_BYTES + 1, 0)])
def test_a_snapshot_that_is_too_long_is_passed_over_unread(size: int, reads: int) -> None:
    store = Longer()
    bucket = Bucket(store, "s3://knoll-models")
    data = Dataset("digits", "s3://data/digits/", (DatasetObject("s3://data/digits/a.png", "e", 1),))
    write_dataset(data, bucket)
    store.size = size
    found = find_newest_dataset("digits", bucket)
    assert ((found and found[0]), store.read) == ((data if reads else None), reads)
