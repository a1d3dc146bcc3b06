"""Columns of examples: tensors, or rows that are made when they are asked for, because not all fit into
memory."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import torch
from numpy.typing import NDArray

__all__ = ["Column", "Columns", "Streamed", "are_here", "parts"]


class Streamed:
    """A column of `count` rows, of which the first are `kept` in memory. `make` makes others by their
    numbers, (N, ...) like those that are kept, and always the same ones."""

    def __init__(self, count: int, kept: NDArray[Any], make: Callable[[Sequence[int]], NDArray[Any]]) -> None:
        self._count, self._kept, self._make = count, kept, make

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, rows: torch.Tensor | slice) -> torch.Tensor:
        """The rows with these numbers, as a tensor has them."""
        kept = torch.from_numpy(self._kept)
        if self.is_whole:
            return kept[rows]
        numbers = torch.arange(self._count)[rows]
        is_kept = numbers < len(kept)
        made = torch.empty((len(numbers), *self.shape[1:]), dtype=self.dtype)
        made[is_kept] = kept[numbers[is_kept]]
        if others := numbers[~is_kept].tolist():
            made[~is_kept] = torch.from_numpy(self._make(others))
        return made

    @property
    def shape(self) -> tuple[int, ...]:
        """As of a tensor."""
        return (self._count, *self._kept.shape[1:])

    @property
    def dtype(self) -> torch.dtype:
        """As of a tensor."""
        return torch.from_numpy(self._kept).dtype

    @property
    def nbytes(self) -> int:
        """The bytes of the rows that are kept."""
        return self._kept.nbytes

    @property
    def kept(self) -> torch.Tensor:
        """The first rows, which are in memory."""
        return torch.from_numpy(self._kept)

    @property
    def is_whole(self) -> bool:
        """Whether all rows are kept."""
        return len(self._kept) == self._count

    def shrink(self, room: int) -> None:
        """Keep no more rows than have this room, unless somebody uses them just now."""
        row = self.nbytes // max(1, len(self._kept))
        with suppress(ValueError):  # a tensor shares the memory
            self._kept.resize((min(len(self._kept), room // max(1, row)), *self.shape[1:]))


Column = torch.Tensor | Streamed
Columns = tuple[Column, ...]


def are_here(columns: Columns) -> bool:
    """Whether all rows of the columns are in memory."""
    return all(isinstance(one, torch.Tensor) or one.is_whole for one in columns)


def parts(column: Column, size: int) -> Iterator[torch.Tensor]:
    """The rows in their order, `size` at a time."""
    for start in range(0, len(column), size):
        yield column[start : start + size]
