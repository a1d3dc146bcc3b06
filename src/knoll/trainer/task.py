"""What is trained, and by whom. Nothing of it changes while it is trained."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from knoll.errors import Rejected, Unavailable
from knoll.families.base import Batch, Columns, Examples, Family, ahead, are_here
from knoll.trainer.acceleration import PLAIN, Acceleration
from knoll.trainer.best import LAST, End
from knoll.trainer.objects import DataChanged
from knoll.trainer.ranks import Ranks

__all__ = ["AHEAD", "Task", "largest_batch"]

AHEAD = 2  # batches that wait for their steps

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Task:
    """A family that learns examples on this process's `device`, together with the other `ranks`. `how` says
    how it computes."""

    family: Family[Any]
    examples: Examples
    config: Any
    device: torch.device
    ranks: Ranks
    end: End = LAST
    how: Acceleration = PLAIN

    @property
    def count(self) -> int:
        """How many training examples there are."""
        return len(self.examples.train[0])

    @property
    def per_epoch(self) -> int:
        """The steps of an epoch: a full batch each, and nearly so if the last one would be smaller."""
        return max(1, self.count // int(self.config.batch_size))

    @property
    def steps(self) -> int:
        """The steps of all epochs."""
        return self.per_epoch * int(self.config.epochs)

    def shares(self, batches: Iterable[torch.Tensor]) -> Iterator[tuple[Batch, float]]:
        """This process's training examples of each batch, and which part of the batch they are. What is not
        in memory is read ahead of the step that needs it."""
        columns = self.examples.train

        def read(rows: torch.Tensor) -> tuple[Batch, float]:
            mine = self.ranks.share(rows)
            return self._read(columns, mine), len(mine) / len(rows)

        for batch, share in ahead(read, batches, 0 if are_here(columns) else 1, AHEAD):
            yield self._on_device(batch), share

    def rows(self, columns: Columns, rows: torch.Tensor) -> Batch:
        """These rows on the device."""
        return self._on_device(self._read(columns, rows))

    def _read(self, columns: Columns, rows: torch.Tensor) -> Batch:
        """These rows. Only the first process says why a run ends. Another one may read what that one does
        not, so it ends, and all try again."""
        try:
            return tuple(column[rows] for column in columns)
        except (DataChanged, Rejected) as error:
            if self.ranks.is_first:
                raise
            raise Unavailable(f"process {self.ranks.rank} cannot read its examples: {error}") from error

    def _on_device(self, batch: Batch) -> Batch:
        still = (column.pin_memory() for column in batch) if self.how.pinned else batch
        return tuple(column.to(self.device, non_blocking=True) for column in still)

    def losses(self, networks: nn.ModuleDict, batch: Batch) -> Iterator[tuple[str, torch.Tensor]]:
        """The losses of a batch in turn, in the precision of the training."""
        turns = self.family.losses(networks, batch, self.config)
        dtype = _DTYPES.get(self.how.precision)
        while True:
            with torch.autocast(self.device.type, dtype or torch.bfloat16, enabled=dtype is not None):
                turn = next(turns, None)
            if turn is None:
                return
            yield turn


def largest_batch(count: int, batch_size: int) -> int:
    """The examples of the largest step: batches are of nearly equal size."""
    return -(-count // max(1, count // batch_size))
