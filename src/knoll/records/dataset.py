"""The snapshot of a dataset: the objects, and the state of each, that a dataset digest stands for. It is
written once.

Nobody signs it, because its name is a digest of its content. If the content is another one, the snapshot is
spoilt, even if it claims to be of a newer knoll, and the next run of that data writes over it.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import with_config

from knoll.data_files import Skipped
from knoll.errors import NewerSchema, Rejected
from knoll.names import DIGEST, digest, join
from knoll.ports import Bucket
from knoll.quoting import escaped
from knoll.records.record import LENIENT, MOST_BYTES, Record, find, is_there, overwrite, put_once, reader

__all__ = [
    "Dataset",
    "DatasetObject",
    "dataset_place",
    "dataset_uri",
    "find_dataset",
    "find_newest_dataset",
    "find_snapshot",
    "has_dataset",
    "list_datasets",
    "load_dataset",
    "why_foreign",
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


_NAME = re.compile(rf"(?P<digest>{DIGEST.pattern})\.json")

load_dataset = reader(Dataset, "dataset snapshot")


def dataset_uri(root: str, model: str, dataset_digest: str) -> str:
    """URI of the snapshot with that digest."""
    return join(root, "datasets", model, f"{dataset_digest}.json")


def dataset_place(model: str, dataset_digest: str, bucket: Bucket) -> str:
    """The same, for the record of a run."""
    return dataset_uri(bucket.root, model, dataset_digest)


def why_foreign(dataset: Dataset, model: str, dataset_digest: str, prefix: str) -> str:
    """Why a snapshot is not of the data with that digest under that prefix of a model; "" if it is. Whoever
    writes to the model bucket can write a snapshot that names any objects."""
    if (dataset.model, dataset.digest) != (model, dataset_digest):
        return f"the snapshot of data {dataset_digest[:12]} is of other data"
    if dataset.prefix != prefix:
        return f"its data lies under {escaped(dataset.prefix)}, and the Model's under {prefix}"
    outside = next((one.uri for one in dataset.objects if not one.uri.startswith(prefix)), "")
    return f"its data has {escaped(outside)}, which does not lie under {prefix}" if outside else ""


def find_dataset(uri: str, bucket: Bucket) -> Dataset | None:
    """The snapshot at the URI that a run names; None if there is none. Raises Rejected for what is none."""
    try:
        return find(uri, load_dataset, bucket)
    except NewerSchema as error:
        raise Rejected(f"the snapshot cannot be read: {error}", fix=error.fix) from error


def find_snapshot(model: str, dataset_digest: str, bucket: Bucket) -> Dataset | None:
    """The model's snapshot with that digest; None if there is none, or a spoilt one."""
    with suppress(Rejected):
        found = find_dataset(dataset_uri(bucket.root, model, dataset_digest), bucket)
        return found if found and (found.model, found.digest) == (model, dataset_digest) else None
    return None


def has_dataset(model: str, dataset_digest: str, bucket: Bucket) -> bool:
    """Whether the model has a snapshot with that digest, by a listing alone."""
    return is_there(dataset_uri(bucket.root, model, dataset_digest), bucket)


def write_dataset(dataset: Dataset, bucket: Bucket) -> str:
    """Write the snapshot if there is none, or over a spoilt one, and return its URI."""
    uri = dataset_uri(bucket.root, dataset.model, dataset.digest)
    if not put_once(uri, dataset, bucket) and not find_snapshot(dataset.model, dataset.digest, bucket):
        overwrite(uri, dataset, bucket)
    return uri


def list_datasets(model: str, bucket: Bucket) -> Iterator[tuple[Dataset, datetime]]:
    """The snapshots of the model, newest first, and when each was written. Spoilt ones are passed over."""
    place = join(bucket.root, "datasets", model, "")
    named = ((_NAME.fullmatch(one.uri.removeprefix(place)), one) for one in bucket.store.list(place))
    listed = [(name["digest"], one.modified) for name, one in named if name and one.size <= MOST_BYTES]
    for dataset_digest, written in sorted(listed, key=lambda one: one[1], reverse=True):
        if found := find_snapshot(model, dataset_digest, bucket):
            yield found, written


def find_newest_dataset(model: str, bucket: Bucket) -> tuple[Dataset, str] | None:
    """The snapshot that was written last, and when; None if there is none."""
    newest = next(list_datasets(model, bucket), None)
    return (newest[0], newest[1].isoformat()) if newest else None
