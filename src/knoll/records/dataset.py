"""The snapshot of a dataset: which objects, in which state, a dataset digest stands for; written once."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import with_config

from knoll.names import digest, join
from knoll.ports import Bucket, ObjectInfo
from knoll.records.record import LENIENT, Record, find, put_once, reader

__all__ = [
    "Dataset",
    "DatasetObject",
    "dataset_uri",
    "find_dataset",
    "list_datasets",
    "load_dataset",
    "write_dataset",
]


@with_config(LENIENT)
@dataclass(frozen=True)
class DatasetObject:
    """One object of a dataset, pinned by its etag; `size` is in bytes, and `sha256` in hex where the user has
    said what it must be."""

    uri: str
    etag: str
    size: int
    sha256: str = ""


@with_config(LENIENT)
@dataclass(frozen=True)
class Dataset(Record):
    """The state of the data under a prefix: what one run trains on. `data_at` is when it came to be."""

    model: str
    prefix: str
    objects: tuple[DatasetObject, ...]
    landed_at: str = ""
    data_at: str = ""

    @property
    def digest(self) -> str:
        """Sha256 over the sorted keys and etags: the same data under the same names, whenever it was
        uploaded."""
        in_order = sorted(self.objects, key=lambda one: one.uri)
        return digest(part for one in in_order for part in (one.uri, one.etag))

    def fields(self) -> dict[str, Any]:
        """See `Record.fields`; a sha256 that nobody has said is left out."""
        found = super().fields()
        for one in found["objects"]:
            if not one["sha256"]:
                del one["sha256"]
        return found


load_dataset = reader(Dataset, "dataset snapshot")


def dataset_uri(root: str, model: str, dataset_digest: str) -> str:
    """Where the snapshot with that digest lies."""
    return join(root, "datasets", model, f"{dataset_digest}.json")


def find_dataset(uri: str, bucket: Bucket) -> Dataset | None:
    """The snapshot at that URI, which a run names; None when there is none."""
    return find(uri, load_dataset, bucket)


def write_dataset(dataset: Dataset, bucket: Bucket) -> str:
    """Write the snapshot, unless it is there; its URI."""
    uri = dataset_uri(bucket.root, dataset.model, dataset.digest)
    put_once(uri, dataset, bucket)
    return uri


def list_datasets(model: str, bucket: Bucket) -> Iterator[ObjectInfo]:
    """All objects where the model's snapshots lie."""
    yield from bucket.store.list(join(bucket.root, "datasets", model, ""))
