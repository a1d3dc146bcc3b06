"""The snapshot of a dataset: the objects, and the state of each, that a dataset digest stands for. It is
written once."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import with_config

from knoll.data_files import Skipped
from knoll.names import digest, join
from knoll.ports import Bucket, ObjectInfo
from knoll.records.record import LENIENT, Record, find, put_once, reader

__all__ = [
    "Dataset",
    "DatasetObject",
    "dataset_uri",
    "find_dataset",
    "find_newest_dataset",
    "find_snapshot",
    "has_dataset",
    "list_datasets",
    "load_dataset",
    "write_dataset",
]


@with_config(LENIENT)
@dataclass(frozen=True)
class DatasetObject:
    """One object of a dataset, in the state that its etag names; `size` is in bytes.

    `sha256`, in hex, is what a manifest asks for.
    """

    uri: str
    etag: str
    size: int
    sha256: str = ""


@with_config(LENIENT)
@dataclass(frozen=True)
class Dataset(Record):
    """The state of the data under a prefix: what one run trains on. `data_at` is when the data
    got into this state, `skipped` what lay beside it and is no data."""

    model: str
    prefix: str
    objects: tuple[DatasetObject, ...]
    landed_at: str = ""
    data_at: str = ""
    skipped: tuple[Skipped, ...] = ()

    @property
    def digest(self) -> str:
        """Sha256 over the sorted URIs and etags: the same data under the same names has the same digest."""
        in_order = sorted(self.objects, key=lambda one: one.uri)
        return digest(part for one in in_order for part in (one.uri, one.etag))

    def fields(self) -> dict[str, Any]:
        """See `Record.fields`; an empty sha256, and `skipped` if nothing is, are left out."""
        found = super().fields()
        if not self.skipped:
            del found["skipped"]
        for one in found["objects"]:
            if not one["sha256"]:
                del one["sha256"]
        return found


load_dataset = reader(Dataset, "dataset snapshot")


def dataset_uri(root: str, model: str, dataset_digest: str) -> str:
    """URI of the snapshot with that digest."""
    return join(root, "datasets", model, f"{dataset_digest}.json")


def find_dataset(uri: str, bucket: Bucket) -> Dataset | None:
    """The snapshot at the URI that a run names; None if there is none."""
    return find(uri, load_dataset, bucket)


def find_snapshot(model: str, dataset_digest: str, bucket: Bucket) -> Dataset | None:
    """The model's snapshot with that digest; None if there is none."""
    return find_dataset(dataset_uri(bucket.root, model, dataset_digest), bucket)


def has_dataset(model: str, dataset_digest: str, bucket: Bucket) -> bool:
    """Whether the model has a snapshot with that digest, by a listing alone."""
    return any(bucket.store.list(dataset_uri(bucket.root, model, dataset_digest)))


def write_dataset(dataset: Dataset, bucket: Bucket) -> str:
    """Write the snapshot if there is none, and return its URI."""
    uri = dataset_uri(bucket.root, dataset.model, dataset.digest)
    put_once(uri, dataset, bucket)
    return uri


def list_datasets(model: str, bucket: Bucket) -> Iterator[ObjectInfo]:
    """All objects in the folder of the model's snapshots."""
    yield from bucket.store.list(join(bucket.root, "datasets", model, ""))


def find_newest_dataset(model: str, bucket: Bucket) -> tuple[Dataset, str] | None:
    """The snapshot that was written last, and when; None if there is none."""
    newest = max(list_datasets(model, bucket), key=lambda one: one.modified, default=None)
    found = newest and find_dataset(newest.uri, bucket)
    return (found, newest.modified.isoformat()) if newest and found else None
