"""The files of a dataset: read when they are asked for, many at a time, and not kept."""

import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self, TypeVar

from knoll.errors import BadFiles, Rejected
from knoll.families.base.readahead import ahead

__all__ = ["READING", "Files"]

READING = 32 * 2**20  # bytes of files that are read and not used yet; one file may be larger

_AT_ONCE = 8  # files that a thread reads before it gives them back, since that takes as long as a file
_SMALL = 2**20  # bytes of those together

_Seen = TypeVar("_Seen")
_Row = tuple[int, str]  # the number of a file in a list of keys, and its key


@dataclass(frozen=True, eq=False)
class Files(Mapping[str, bytes]):
    """Their content by key, which is relative to the dataset's prefix. Threads may share it.

    Each use of a file reads it anew; in their order here they are read fastest. `sizes` are their bytes. What
    is made of them may take `room` bytes of memory. `readers` of them are read at a time, and `workers` of
    them used; without readers there are no threads. Many files are read from that part of them on where
    this process `begins`, and the others behind them.
    """

    sizes: Mapping[str, int]
    read: Callable[[str], bytes]
    room: int = sys.maxsize
    readers: int = 0
    workers: int = 1
    begins: float = 0.0

    @classmethod
    def of(cls, bodies: Mapping[str, bytes]) -> Self:
        """Files that are in memory."""
        return cls({key: len(body) for key, body in bodies.items()}, bodies.__getitem__)

    def __getitem__(self, key: str) -> bytes:
        """Raises BadFiles if the file is in an archive and cannot be unpacked."""
        if key not in self.sizes:
            raise KeyError(key)
        return self.read(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self.sizes)

    def __contains__(self, key: object) -> bool:
        return key in self.sizes

    def __len__(self) -> int:
        return len(self.sizes)

    def without(self, keys: Collection[str]) -> Self:
        """The other files."""
        return replace(self, sizes={key: size for key, size in self.sizes.items() if key not in keys})

    def each(
        self, keys: Sequence[str], look: Callable[[bytes], _Seen], use: Callable[[int, _Seen], object]
    ) -> Mapping[str, str]:
        """Call `use` with the number of each of these files, and with what `look` makes of its bytes, in no
        order; `look` is called in threads.

        Returns why files are bad, by key: if they cannot be unpacked, or `look` raises Rejected, whose text
        begins with "it".
        """
        turns = threading.Semaphore(self.workers)
        faults: dict[str, str] = {}

        def work(rows: Sequence[_Row]) -> list[tuple[int, _Seen] | dict[str, str]]:
            return [self._look(*row, look, turns) for row in rows]

        for found in ahead(work, self._bundles(keys), self.readers, READING, self._weight):
            for one in found:
                if isinstance(one, dict):
                    faults |= one
                else:
                    use(*one)
        return {key: faults[key] for key in sorted(faults, key=self._places.__getitem__)}

    def _look(
        self, number: int, key: str, look: Callable[[bytes], _Seen], turns: threading.Semaphore
    ) -> tuple[int, _Seen] | dict[str, str]:
        try:
            body = self[key]
            with turns:
                return number, look(body)
        except BadFiles as error:
            return dict(error.faults)
        except Rejected as error:
            return {key: str(error)}

    def _bundles(self, keys: Sequence[str]) -> Iterator[list[_Row]]:
        """The files in their order here, some small ones together."""
        most = min(_AT_ONCE, max(1, len(keys) // max(1, 2 * self.readers)))
        bundle: list[_Row] = []
        rows = sorted(enumerate(keys), key=lambda row: self._places[row[1]])
        first = int(self.begins * len(rows))
        for row in [*rows[first:], *rows[:first]]:
            if bundle and (len(bundle) == most or self._weight([*bundle, row]) > _SMALL):
                yield bundle
                bundle = []
            bundle.append(row)
        if bundle:
            yield bundle

    def _weight(self, rows: Iterable[_Row]) -> int:
        return sum(self.sizes[key] for _, key in rows)

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {key: number for number, key in enumerate(self.sizes)}
