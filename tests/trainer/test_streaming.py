"""Data that does not fit into memory is trained like data that does: to the last bit, in the same memory."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from knoll.adapters.memory.store import MemoryStore
from knoll.errors import StoreUnavailable
from knoll.families.base import Examples, Files, Streamed
from knoll.families.dcgan.family import Dcgan
from knoll.families.image.family import ImageClassifier
from knoll.trainer.loop import train_networks
from knoll.trainer.memory import Limits
from knoll.trainer.reading import DataChanged, files_at
from knoll.trainer.sorting import sort_files
from support.data import PREFIX, data_of

SCRIPT = Path(__file__).parent / "reading_script.py"
FAMILY = ImageClassifier()
CONFIG = FAMILY.configure({"epochs": 2, "width": 4, "batchSize": 32})


@pytest.fixture(scope="module")
def some(digits: dict[str, bytes]) -> dict[str, bytes]:
    return {key: body for key, body in digits.items() if key[0] in "01" and key.endswith("0.png")}


def streamed(some: Mapping[str, bytes], room: int, store: MemoryStore | None = None) -> Files:
    """The pictures in a store, with so much room for their pixels."""
    data = data_of(some, store)
    places, _, _ = sort_files(data.dataset, data.reader, 2**30)
    return files_at(places, data.reader, Limits(2**30, room, workers=2))


def weights(examples: Examples) -> Mapping[str, torch.Tensor]:
    quiet: Any = {"report": lambda *_: None, "say": lambda _: None}
    made = train_networks(FAMILY, examples, CONFIG, device=torch.device("cpu"), **quiet)
    return made.networks.state_dict()


def test_streamed_pictures_give_the_same_weights_to_the_last_bit(some: dict[str, bytes]) -> None:
    """Whether all, some or none of them are kept in memory."""
    whole = FAMILY.examples(Files.of(some), CONFIG)
    expected = weights(whole)
    for room in (0, 1000):
        examples = FAMILY.examples(streamed(some, room), CONFIG)
        train = examples.train[0]
        assert isinstance(train, Streamed)
        assert not train.is_whole
        assert train.nbytes <= room
        assert examples.about == whole.about
        found = weights(examples)
        assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_rows_are_those_of_a_tensor(some: dict[str, bytes]) -> None:
    """By number and by slice, kept or not, and when fewer are kept."""
    (whole,), (half,) = (
        Dcgan().golden(Files.of(some), {}, Dcgan().configure({})).train,
        Dcgan().golden(streamed(some, 100_000), {}, Dcgan().configure({})).train,
    )
    rows = torch.tensor([len(some) - 1, 0, 3, 0])
    assert isinstance(half, Streamed)
    for _ in range(2):
        assert torch.equal(half[rows], whole[rows])
        assert torch.equal(half[5:9], whole[5:9])
        assert torch.equal(half[:], whole[:])
        half.shrink(10_000)
        assert half.nbytes == 3 * 56 * 56


def test_data_that_changes_under_a_training_ends_it(some: dict[str, bytes]) -> None:
    """Pixels that are not kept are read with the etag of the run."""
    store = MemoryStore()
    examples = FAMILY.examples(streamed(some, 0, store), CONFIG)
    for key in some:
        store.put(PREFIX + key, b"new")
    with pytest.raises(DataChanged, match="the data changed after it had landed"):
        weights(examples)


def test_a_store_that_gives_too_few_bytes_is_not_believed() -> None:
    class Cut(MemoryStore):
        def get(self, uri: str, **options: Any) -> bytes:
            return super().get(uri, **options)[:-1]

    data = data_of({"a/1.png": b"whole"}, Cut())
    places, _, _ = sort_files(data.dataset, data.reader, 2**30)
    with pytest.raises(StoreUnavailable, match="came with 4 bytes, and had 5"):
        data.reader.read(places["a/1.png"])
    (one,) = data.dataset.objects
    large = replace(one, size=2**23)
    with pytest.raises(StoreUnavailable, match="came with 4 of the 5 bytes of a part"):
        data.reader._objects.part(large, range(5))


def test_memory_does_not_grow_with_the_data(tmp_path: Path) -> None:
    """Ten times as many pictures, with the same room for them. Together they would take 110 MB more."""

    def peak(count: int) -> int:
        command = [sys.executable, str(SCRIPT), str(count), str(tmp_path / str(count))]
        return int(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)

    assert peak(300) < 1.2 * peak(30)
