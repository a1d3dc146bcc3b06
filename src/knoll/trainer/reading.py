"""The data of a run, in exactly the state that its snapshot names.

An attempt reads all objects before it learns. If an object has changed, and the bucket keeps versions, the
version from the time of the run's record is read. So a run that was opened too late does not go back to data
that was replaced before. If the bucket keeps no versions, the run ends.
"""

import hashlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from knoll.data_files import Skipped
from knoll.errors import Conflict, KnollError, NotFound, Rejected, StoreUnavailable
from knoll.families.base import Files
from knoll.ports import Bucket, ObjectStore, Platform
from knoll.records.dataset import Dataset, DatasetObject, find_dataset, why_foreign
from knoll.records.progress import DataRead
from knoll.records.run import Run, opened_at
from knoll.records.stamp import is_stamped
from knoll.trainer.memory import check_data

__all__ = ["DataChanged", "Read", "read_data", "read_objects"]

_READERS = 8
_TELL_SECONDS = 1.0

Told = Callable[[DataRead], None]


class DataChanged(KnollError):
    """The data is no longer in the state that the run trains on."""


@dataclass(frozen=True)
class Read:
    """All objects, by their key relative to the dataset's prefix; and what was skipped when they landed."""

    files: Files
    skipped: tuple[Skipped, ...]


def read_data(run: Run, platform: Platform, limit: int = sys.maxsize, told: Told = lambda _: None) -> Read:
    """All objects of the run's dataset. `told` takes how much is read, about once a second.

    Raises DataChanged if an object or the record of the run has changed, or if the snapshot cannot be read;
    Rejected if the snapshot is of other data or if this process may not take so much memory; StoreUnavailable
    if the store contradicts itself.
    """
    dataset, opened = _read_snapshot(run, platform.bucket), opened_at(run.id, platform.bucket)
    check_data(sum(one.size for one in dataset.objects), "the files of the dataset", limit)
    return Read(read_objects(dataset, platform.store, opened, told), dataset.skipped)


def read_objects(
    dataset: Dataset, store: ObjectStore, opened: datetime | None = None, told: Told = lambda _: None
) -> Files:
    """All objects by key, in the state that the dataset names; if one has changed, as it was when the run was
    `opened`. Raises as `read_data`."""
    with ThreadPoolExecutor(_READERS) as readers:
        found = readers.map(lambda one: _read(one, opened, store), dataset.objects)
        bodies = list(_counted(found, dataset, told))
    keys = (one.uri.removeprefix(dataset.prefix) for one in dataset.objects)
    return dict(zip(keys, bodies, strict=True))


def _counted(bodies: Iterable[bytes], dataset: Dataset, told: Told) -> Iterator[bytes]:
    """The bodies, which are counted as they come."""
    whole, size, last = sum(one.size for one in dataset.objects), 0, 0.0
    for count, body in enumerate(bodies, 1):
        size += len(body)
        if time.monotonic() - last >= _TELL_SECONDS or count == len(dataset.objects):
            last = time.monotonic()
            told(DataRead(count, len(dataset.objects), size, whole))
        yield body


def _read_snapshot(run: Run, bucket: Bucket) -> Dataset:
    if not is_stamped(run, bucket):
        raise DataChanged(f"no function of this platform has stamped the record of run {run.id}")
    try:
        dataset = find_dataset(run.dataset_uri, bucket)
    except Rejected as error:  # the next run of this data writes over it
        raise DataChanged(str(error)) from error
    if dataset is None:
        raise NotFound(f"{run.dataset_uri}, the dataset of run {run.id}, is not there")
    prefix = run.prefix or dataset.prefix
    fault = why_foreign(dataset, run.model, run.dataset_digest, prefix)
    if not fault and bucket.holds(prefix):
        fault = "its data lies in the bucket of models"
    if fault:
        raise Rejected(
            f"{run.dataset_uri} is of other data than run {run.id}: {fault}",
            fix="find out who wrote that file",
        )
    return dataset


def _read(one: DatasetObject, opened: datetime | None, store: ObjectStore) -> bytes:
    try:
        body = store.get(one.uri, etag=one.etag, at=opened)
    except (Conflict, NotFound) as error:
        if _is_listed(one, store):
            raise StoreUnavailable(
                f"{one.uri} is listed with etag {one.etag}, and cannot be read with it: {error}"
            ) from error
        raise DataChanged(f"the data changed after it had landed: {error}") from error
    found = hashlib.sha256(body).hexdigest() if one.sha256 else ""
    if found != one.sha256:
        raise StoreUnavailable(
            f"{one.uri} came with sha256 {found}, and had {one.sha256} under the same etag when it landed"
        )
    return body


def _is_listed(one: DatasetObject, store: ObjectStore) -> bool:
    """Whether the store lists the object with the etag of the snapshot: then it has come back meanwhile."""
    return any((shown.uri, shown.etag) == (one.uri, one.etag) for shown in store.list(one.uri))
