"""A process of a test: it learns so many pictures, which a store makes up, with little room for pixels, and
prints the most memory that it took, in KiB.

python reading_script.py PICTURES CACHE
"""

import io
import resource
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from knoll.adapters.memory.store import MemoryStore
from knoll.families.base import Batch
from knoll.families.image.declaration import ImageClassifierConfig
from knoll.families.image.family import ImageClassifier
from knoll.records.dataset import Dataset, DatasetObject
from knoll.trainer.disk_cache import DiskCache
from knoll.trainer.loop import train_networks
from knoll.trainer.memory import Limits
from knoll.trainer.reading import files_at, open_objects
from knoll.trainer.sorting import sort_files

PREFIX, SIDE, ROOM = "s3://data/", 256, 8 * 2**20


@cache
def picture() -> bytes:
    """Noise, which is as large in a file as it is decoded."""
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    body = io.BytesIO()
    Image.fromarray(pixels).save(body, "PNG", compress_level=0)
    return body.getvalue()


class MadeUp(MemoryStore):
    """It has as many pictures as anybody asks for, in the memory of one."""

    def get(self, uri: str, **_: Any) -> bytes:
        return bytes(bytearray(picture()))  # a copy, as a network gives it


class Quick(ImageClassifier):
    """A classifier that takes no time."""

    def build(self, config: ImageClassifierConfig, about: Mapping[str, Any]) -> nn.ModuleDict:
        layers = nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 2)
        return nn.ModuleDict({"classifier": nn.Sequential(*layers)})

    def augment(self, batch: Batch, config: ImageClassifierConfig) -> Batch:
        return batch


def main(count: int, folder: Path) -> None:
    """Read, decode, learn and score."""
    torch.set_num_threads(1)
    size = len(picture())
    uris = [f"{PREFIX}{label}/{number}.png" for label in "ab" for number in range(count // 2)]
    dataset = Dataset("model", PREFIX, tuple(DatasetObject(uri, "etag", size) for uri in uris))
    folder.mkdir()
    data = open_objects(dataset, MadeUp(), DiskCache(folder, 2**30))
    places, _, _ = sort_files(dataset, data.reader, 2**30)
    family = Quick()
    asked = {"epochs": 1, "batchSize": 16, "heldOut": 0.05, "imageWidth": SIDE, "imageHeight": SIDE}
    config = family.configure(asked)
    examples = family.examples(files_at(places, data.reader, Limits(2**30, ROOM)), config)
    quiet: Any = {"report": lambda *_: None, "say": lambda _: None}
    trained = train_networks(family, examples, config, device=torch.device("cpu"), **quiet)
    assert family.score(trained.networks, examples, config)["loss"] > 0
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
