"""The data of a run: which objects it has, by the snapshot that the run names, and how its files are read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from knoll.errors import BadFiles, InvalidData, KnollError, NotFound, Rejected
from knoll.families.base import Files
from knoll.ports import Bucket, ObjectStore, Platform
from knoll.records.dataset import Dataset, find_dataset, why_foreign
from knoll.records.run import Run, opened_at
from knoll.records.stamp import is_stamped
from knoll.trainer.disk_cache import DiskCache
from knoll.trainer.members import FileReader, Place
from knoll.trainer.memory import Limits
from knoll.trainer.objects import DataChanged, Objects, ReadingMeter, Told

__all__ = ["Data", "DataChanged", "files_at", "open_data", "open_objects"]

_READERS = 16  # files that are read at a time: a store answers late, and many at once


@dataclass(frozen=True)
class Data:
    """What lies in a dataset, and who reads it. The `meter` counts what is read."""

    dataset: Dataset
    reader: FileReader
    meter: ReadingMeter


def open_data(
    run: Run, platform: Platform, cache: DiskCache | None = None, told: Told = lambda _: None
) -> Data:
    """The run's dataset, of which nothing is read yet. `told` takes how much is, about once a second.

    Raises DataChanged if the record of the run has changed, or if the snapshot cannot be read; Rejected if
    the snapshot is of other data.
    """
    dataset, opened = _read_snapshot(run, platform.bucket), opened_at(run.id, platform.bucket)
    return open_objects(dataset, platform.store, cache, opened, told)


def _changed(fault: str) -> KnollError:
    return DataChanged(f"the data changed after it had landed: {fault}")


def open_objects(
    dataset: Dataset,
    store: ObjectStore,
    cache: DiskCache | None = None,
    opened: datetime | None = None,
    told: Told = lambda _: None,
    changed: Callable[[str], KnollError] = _changed,
) -> Data:
    """The dataset, each object of which is read in the state that the dataset names; if it has changed, as it
    was when the run was `opened`. What `changed` makes is raised if that is gone."""
    meter = ReadingMeter(dataset.objects, told)
    return Data(dataset, FileReader(Objects(store, opened, cache, meter, changed)), meter)


def files_at(places: Mapping[str, Place], reader: FileReader, limits: Limits) -> Files:
    """The files at these places, by key."""

    def read(key: str) -> bytes:
        try:
            return reader.read(places[key])
        except InvalidData as error:
            raise BadFiles({key: str(error)}) from error

    sizes = {key: one.size for key, one in places.items()}
    return Files(sizes, read, limits.room, _READERS, limits.workers, limits.begins)


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
