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
from knoll.errors import StoreUnavailable, Unavailable
from knoll.families.base import Examples, Files, ServedGraph, Streamed, split_keys
from knoll.families.dcgan.family import Dcgan
from knoll.families.image.family import ImageClassifier
from knoll.trainer.compression.learning import learn_more
from knoll.trainer.compression.subject import Subject
from knoll.trainer.loop import train_networks
from knoll.trainer.memory import Limits
from knoll.trainer.ranks import Ranks
from knoll.trainer.reading import DataChanged, files_at
from knoll.trainer.sorting import sort_files
from knoll.trainer.task import Task
from support.data import PREFIX, data_of

SCRIPT = Path(__file__).parent / "reading_script.py"
FAMILY = ImageClassifier()
CONFIG = FAMILY.configure({"epochs": 2, "width": 4, "batchSize": 32})


@pytest.fixture(scope="module")
def some(digits: dict[str, bytes]) -> dict[str, bytes]:
    return {key: body for key, body in digits.items() if key[0] in "01" and key.endswith("0.png")}


class NotedStore(MemoryStore):
    """It notes what is read, by URI, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    def get(self, uri: str, **options: Any) -> bytes:
        self.read.append(uri)
        return super().get(uri, **options)


def streamed(
    some: Mapping[str, bytes], room: int, store: MemoryStore | None = None, begins: float = 0
) -> Files:
    """The pictures in a store, with so much room for their pixels."""
    data = data_of(some, store)
    places, _, _ = sort_files(data.dataset, data.reader, 2**30)
    return files_at(places, data.reader, Limits(2**30, room, workers=2, begins=begins))


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


def test_a_look_at_data_that_has_changed_ends_the_training_too(some: dict[str, bytes]) -> None:
    """Here only held-out pictures have changed: the curve is not left out as if a family had a fault."""
    store = MemoryStore()
    examples = FAMILY.examples(streamed(some, 0, store), CONFIG)
    _, kept = split_keys(sorted(some), CONFIG.held_out, [key[0] for key in sorted(some)])
    assert len(kept) == len(examples.held_out[0])
    for row in kept:
        store.put(PREFIX + sorted(some)[row], b"new")
    with pytest.raises(DataChanged):
        weights(examples)


def test_a_process_reads_only_its_share_of_each_batch(some: dict[str, bytes]) -> None:
    """Both together read each picture once in an epoch."""
    store = NotedStore()
    examples = FAMILY.examples(streamed(some, 0, store), CONFIG)
    batches = torch.split(torch.randperm(len(examples.train[0])), 32)
    read = []
    for rank in range(2):
        store.read.clear()
        task = Task(FAMILY, examples, CONFIG, torch.device("cpu"), Ranks(rank, 2))
        shares = list(task.shares(batches))
        assert sum(len(batch[0]) for batch, _ in shares) == len(store.read)
        read += store.read
    assert len(read) == len({*read}) == len(examples.train[0])


def test_processes_that_share_a_cache_begin_at_different_files(some: dict[str, bytes]) -> None:
    """So each finds there what the others have read. What they make of all files is the same."""
    first, second = NotedStore(), NotedStore()
    made = [FAMILY.examples(streamed(some, 10**9, *one), CONFIG) for one in ((first, 0), (second, 0.5))]
    assert torch.equal(made[0].train[0][:], made[1].train[0][:])
    assert made[0].about == made[1].about
    for store, begins in (first, 0), (second, len(some) // 2):
        numbers = [sorted(some).index(uri.removeprefix(PREFIX)) for uri in store.read]
        assert begins <= min(numbers[:8]) <= begins + 128  # 16 threads, each with 8 files


def test_only_the_first_process_says_that_the_data_has_changed(some: dict[str, bytes]) -> None:
    """It does not meet a change in the share of another one. If that one waited for it, both would wait."""
    store = MemoryStore()
    examples = FAMILY.examples(streamed(some, 0, store), CONFIG)
    for key in some:
        store.put(PREFIX + key, b"new")
    for rank, error in enumerate([DataChanged, Unavailable]):
        task = Task(FAMILY, examples, CONFIG, torch.device("cpu"), Ranks(rank, 2))
        with pytest.raises(error, match="the data changed"):
            list(task.shares([torch.arange(8)]))
        with pytest.raises(error, match="the data changed"):
            task.rows(examples.held_out, torch.arange(2))


def test_graphs_are_compressed_with_streamed_pictures_as_with_others(some: dict[str, bytes]) -> None:
    """Those that calibrate, those that are learnt from once more, and the scores of a graph."""

    def found(examples: Examples) -> list[torch.Tensor]:
        torch.manual_seed(1)
        networks = FAMILY.build(CONFIG, examples.about)
        nothing: Any = None
        rest = nothing, b"", nothing, nothing, 1, torch.device("cpu"), nothing
        subject = Subject(FAMILY, CONFIG, examples, networks, *rest)
        learn_more(subject, networks, CONFIG, 1)
        with torch.no_grad():
            served = FAMILY.export(networks, examples, CONFIG)
            graph = ServedGraph(served.signature, lambda batch: (served.module(*batch),))
            scores = FAMILY.score_served(graph, examples, CONFIG)
        numbers = torch.tensor([*scores.metrics.values(), *scores.slices["recall"].values()])
        return [*subject.calibration, *networks.state_dict().values(), numbers]

    whole, none = (FAMILY.examples(streamed(some, room), CONFIG) for room in (10**9, 0))
    pairs = zip(found(whole), found(none), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


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
    """Ten times as many pictures, with the same room for them. Their pixels alone would take 98 MB, more than
    a fifth of what such a process takes."""

    def peak(count: int) -> int:
        command = [sys.executable, str(SCRIPT), str(count), str(tmp_path / str(count))]
        return int(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)

    assert peak(500) < 1.2 * peak(50)
