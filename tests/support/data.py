"""Data in a store in memory, as the trainer reads it."""

from collections.abc import Mapping

from knoll.adapters.memory.store import MemoryStore
from knoll.data_files import Skipped
from knoll.families.base import Files
from knoll.ports import ObjectStore, Platform
from knoll.records.dataset import Dataset, DatasetObject
from knoll.records.run import Run
from knoll.trainer.members import Place
from knoll.trainer.memory import Limits
from knoll.trainer.reading import Data, files_at, open_data, open_objects
from knoll.trainer.sorting import sort_files

__all__ = ["data_of", "read_data", "sorted_files"]

PREFIX = "s3://data/"


def data_of(bodies: Mapping[str, bytes], store: ObjectStore | None = None) -> Data:
    """A dataset of these objects, by their keys, in that order."""
    store = store or MemoryStore()
    objects = [
        DatasetObject(f"{PREFIX}{key}", store.put(f"{PREFIX}{key}", body), len(body))
        for key, body in bodies.items()
    ]
    return open_objects(Dataset("model", PREFIX, tuple(objects)), store)


def sorted_files(
    bodies: Mapping[str, bytes], room: int = 2**30
) -> tuple[Files, tuple[Skipped, ...], Mapping[str, str]]:
    """The files of these objects; what is skipped, and what is bad before it is read."""
    data = data_of(bodies)
    places, skipped, bad = sort_files(data.dataset, data.reader, room)
    return files_at(places, data.reader, Limits(room, room)), skipped, bad


def read_data(run: Run, platform: Platform) -> Mapping[str, bytes]:
    """All objects of a run, by key."""
    data = open_data(run, platform)
    return {
        one.uri.removeprefix(data.dataset.prefix): data.reader.read(Place(one))
        for one in data.dataset.objects
    }
