"""How data that does not fit into memory is read from a store that answers late."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np
import torch
from results import Goal, Measured

from knoll.adapters.memory.store import MemoryStore
from knoll.families.image.family import ImageClassifier
from knoll.families.pictures import to_png
from knoll.records.dataset import Dataset, DatasetObject
from knoll.records.progress import StepsTaken
from knoll.trainer.disk_cache import DiskCache
from knoll.trainer.loop import train_networks
from knoll.trainer.memory import Limits
from knoll.trainer.reading import files_at, open_objects
from knoll.trainer.sorting import sort_files

__all__ = ["measure_reading"]

_PREFIX, _LATE = "s3://data/", 0.02  # seconds


class LateStore(MemoryStore):
    """A store whose answers take 20 ms more."""

    def get(self, uri: str, **options: Any) -> bytes:
        """See `MemoryStore.get`."""
        sleep(_LATE)
        return super().get(uri, **options)


def measure_reading(pictures: int, rounds: int) -> tuple[Sequence[Measured], Sequence[Goal]]:
    """Small files through the reader beside one request after the other; and how long the steps of a training
    wait that keeps no pixels in memory."""
    store, dataset = _data(pictures)
    reader, plain = (
        [_seconds(store, dataset, read) for _ in range(rounds)] for read in (_by_reader, _by_get)
    )
    goals = [
        Goal(
            "seconds of small files through the reader, as a multiple of one request after the other",
            sorted(reader)[rounds // 2] / sorted(plain)[rounds // 2],
            1 / 5,
        ),
        Goal(
            "part of a step that waits for pictures that are not in memory", _data_wait(store, dataset), 0.05
        ),
    ]
    what = f"{pictures} small files"
    return [Measured(f"{what}, reader", tuple(reader)), Measured(f"{what}, one by one", tuple(plain))], goals


def _data(pictures: int) -> tuple[MemoryStore, Dataset]:
    store, chance = LateStore(), np.random.default_rng(1)
    for number in range(pictures):
        body = to_png(chance.integers(0, 256, (28, 28), np.uint8))
        store.put(f"{_PREFIX}{'ab'[number % 2]}/{number}.png", body)
    objects = tuple(DatasetObject(one.uri, one.etag, one.size) for one in store.list(_PREFIX))
    return store, Dataset("model", _PREFIX, objects)


def _seconds(store: MemoryStore, dataset: Dataset, read: Any) -> float:
    began = perf_counter()
    read(store, dataset)
    return perf_counter() - began


def _by_reader(store: MemoryStore, dataset: Dataset) -> None:
    data = open_objects(dataset, store)
    places, _, _ = sort_files(dataset, data.reader, 2**30)
    files = files_at(places, data.reader, Limits(2**30, 2**30))
    files.each([*files], len, lambda *_: None)


def _by_get(store: MemoryStore, dataset: Dataset) -> None:
    for one in dataset.objects:
        store.get(one.uri, etag=one.etag)


def _data_wait(store: MemoryStore, dataset: Dataset) -> float:
    """Of the last steps of a training whose pictures come from the store, and then from the cache."""
    waits: list[float] = []

    def report(steps: StepsTaken, *_: Any) -> None:
        waits.append(steps.data_wait or 0.0)

    family = ImageClassifier()
    config = family.configure({"epochs": 2, "width": 16})
    with tempfile.TemporaryDirectory() as folder:
        data = open_objects(dataset, store, DiskCache(Path(folder), 2**30))
        places, _, _ = sort_files(dataset, data.reader, 2**30)
        examples = family.examples(files_at(places, data.reader, Limits(2**30, 0)), config)
        train_networks(
            family, examples, config, device=torch.device("cpu"), report=report, say=lambda _: None
        )
    return waits[-1]
