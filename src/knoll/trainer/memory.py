"""An estimate of the memory of a training, before it learns.

Without it, a training with too little memory is killed when most of its work is done, and so is each retry.
All processes of a run get the same numbers, which are some 10 % off.
"""

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from knoll.errors import Rejected
from knoll.families.base import READING, Examples, Family, Files, Streamed, are_here
from knoll.quantities import TRAINER_BASE, in_words, memory_of
from knoll.trainer.disk_cache import DiskCache
from knoll.trainer.members import BUNDLES
from knoll.trainer.task import AHEAD

__all__ = [
    "Limits",
    "TooLittleMemory",
    "bytes_of",
    "check_data",
    "check_device",
    "check_files",
    "check_step",
    "reject_out_of_memory",
    "room_for",
    "step_bytes",
]

_EXPORT = 250 * 2**20  # the libraries that write and check the graph
_COPIES = 8  # of the weights: themselves, gradients, two means of Adam, one more; three in a checkpoint
_MEANS = 2  # of these, which are the state of Adam
_COPIES_OF_BEST = 3  # the best ones so far, in the state and in a checkpoint, and those that replace them
_NO_MEMORY = "can't allocate memory"  # says torch on the CPU
_LAST = re.compile(r"allocate (\d[\d.]* ?(?:[KMGT]?i?B|bytes))")
_IN_WORK = 2  # batches: one is made, and one is learnt from
_PASSING = 1.5  # tensors as large as the largest one that live for a moment


class TooLittleMemory(Rejected):
    """The training takes more memory than its Model asks for."""


@dataclass(frozen=True)
class Limits:
    """What a process may take for data: `memory` bytes in all, `room` of them for examples, so many `workers`
    as threads; and the `cache` that it may use. It `begins` at that part of the files: processes that share a
    cache begin at different ones, and each finds there what others have read."""

    memory: int
    room: int
    workers: int = 1
    cache: DiskCache | None = None
    begins: float = 0.0

    @property
    def free(self) -> int:
        """The bytes that the process does not take in any case."""
        return self.memory - TRAINER_BASE


def check_data(size: int, what: str, limit: int) -> None:
    """Check that data of this size fits, before it is there. Raises TooLittleMemory."""
    needed = TRAINER_BASE + size
    if needed > limit:
        raise TooLittleMemory(
            f"the training would take at least {in_words(needed)} of memory, {in_words(size)} of it for "
            f"{what}, and may take {in_words(limit)}; raise spec.training.resources.memory, or use less data"
        )


def room_for(limit: int) -> int:
    """How many bytes there are for examples beside all that takes memory in any case. The export takes more
    than what is read while they are decoded, and comes later."""
    return max(0, limit - TRAINER_BASE - max(_EXPORT, READING + BUNDLES))


def check_files(
    family: Family[Any], files: Files, config: Any, what: str, limit: int, beside: int = 0
) -> None:
    """Check before they are read that the family can learn from these files, with so many bytes of examples
    `beside` them. Raises TooLittleMemory."""
    sizes = files.sizes.values()
    together = max(sizes, default=0) if family.streams else sum(sizes) + family.decoded_bytes(files, config)
    check_data(beside + together, what, limit)


def check_step(
    family: Family[Any],
    examples: Examples,
    config: Any,
    rows: int,
    limit: int,
    *,
    beside: int = 0,
    keeps_best: bool = False,
    shards: int = 1,
) -> None:
    """Check that learning on the CPU in steps of `rows` examples fits, with so many bytes of other examples
    `beside` them, the best weights, if it keeps them, and the state of optimisers in so many `shards`.
    Streamed examples keep fewer rows if that helps. Raises TooLittleMemory."""
    found = step_bytes(family, examples, config, rows)
    if found is None:
        return
    weights, step = found
    copies = _COPIES - _MEANS + _MEANS / shards + (_COPIES_OF_BEST if keeps_best else 0)
    needed = TRAINER_BASE + beside + math.ceil(copies * weights) + max(step, _EXPORT)
    if needed + bytes_of(examples) > limit or not are_here(examples.train):
        needed += _ahead(examples, rows)
        _shrink(examples, limit - needed)
    needed += bytes_of(examples)
    if needed > limit:
        raise TooLittleMemory(
            f"the training would take about {in_words(needed)} of memory, {in_words(step)} of it for a step "
            f"of {rows} examples, and may take {in_words(limit)}; raise spec.training.resources.memory, or "
            "lower batchSize or the size of the network and its examples in spec.training.config"
        )


def check_device(family: Family[Any], examples: Examples, config: Any, room: int, shards: int) -> None:
    """Check that the weights fit into a device with so many bytes, with their gradients and the state of Adam
    in so many `shards`; 0 bytes are not known. Raises TooLittleMemory."""
    found = step_bytes(family, examples, config, 2)  # batch norm needs two
    weights = found[0] if found else 0
    needed = math.ceil(weights * (2 + _MEANS / shards))
    if 0 < room < needed:
        raise TooLittleMemory(
            f"the networks have {in_words(weights)} of weights, which take {in_words(needed)} to learn, and "
            f"the GPU of a process has {in_words(room)}; a network is never spread over several GPUs: lower "
            "its size in spec.training.config, or let more processes share with spec.training.sharding"
        )


def bytes_of(examples: Examples) -> int:
    """Bytes of all rows that are in memory; those that are on both sides count once."""
    columns = (*examples.train, *examples.held_out)
    sizes = {one.data_ptr() if isinstance(one, torch.Tensor) else -id(one): one.nbytes for one in columns}
    return sum(sizes.values())


def _shrink(examples: Examples, room: int) -> None:
    """Let streamed columns keep fewer rows, so that all take so many bytes, if they can: first those that are
    learnt from, since the others are looked at more often."""
    for one in (*examples.train, *examples.held_out):
        if isinstance(one, Streamed):
            one.shrink(max(0, one.nbytes - max(0, bytes_of(examples) - room)))


def _ahead(examples: Examples, rows: int) -> int:
    """The bytes of batches of `rows` that are read ahead, and of what is read for them; 0 if nothing is."""
    if not any(isinstance(one, Streamed) for one in examples.train):
        return 0
    row = sum(math.prod(one.shape[1:]) * one.dtype.itemsize for one in examples.train)
    return READING + BUNDLES + (AHEAD + _IN_WORK) * rows * row


def step_bytes(family: Family[Any], examples: Examples, config: Any, rows: int) -> tuple[int, int] | None:
    """Bytes of the weights, and those that a step takes beside them. None if that cannot be told: the family
    looks at values, and the step is played without any."""
    try:
        with torch.device("meta"):
            networks = family.build(config, examples.about).train()
        weights = sum(one.nbytes for one in networks.state_dict().values())
        return weights, _play_step(family, networks, examples, config, rows)
    except Exception:
        return None


@contextmanager
def reject_out_of_memory(resources: Mapping[str, Any]) -> Iterator[None]:
    """Raise TooLittleMemory if Python or torch gets no memory: another try would end in the same way."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError | torch.OutOfMemoryError) and _NO_MEMORY not in str(error):
            raise
        last = _LAST.search(str(error))
        wanted = f", and its last request was for {last[1]}" if last else ""
        raise TooLittleMemory(
            f"the training ran out of memory: it asked for {in_words(memory_of(resources))}{wanted}; raise "
            "spec.training.resources.memory, or lower batchSize in spec.training.config"
        ) from error


def _play_step(
    family: Family[Any], networks: nn.ModuleDict, examples: Examples, config: Any, rows: int
) -> int:
    """Take a step with tensors that have a shape and no memory, and add up what it keeps for gradients."""
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage._cdata] = storage
        return tensor

    columns = examples.train
    batch = tuple(torch.empty((rows, *one.shape[1:]), dtype=one.dtype, device="meta") for one in columns)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        batch = family.augment(family.prepare(batch, config), config)
        for _, loss in family.losses(networks, batch, config):
            loss.backward()  # type: ignore[no-untyped-call]
    sizes = [one.nbytes() for one in kept.values()]
    return int(sum(sizes) + _PASSING * max(sizes, default=0))
