"""Predictions that go on in the background, and the versions that answered."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from knoll.errors import KnollError
from knoll.repeating import repeating

if TYPE_CHECKING:
    from knoll.ports import PredictAnswer

__all__ = ["Traffic", "traffic"]


@dataclass
class Traffic:
    """Number of answers by version, and the errors."""

    versions: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)


@contextmanager
def traffic(predict: Callable[[], "PredictAnswer"], *, every: float = 0.05) -> Iterator[Traffic]:
    """Call `predict` every `every` seconds in a thread until the block is left."""
    seen = Traffic()

    def ask() -> None:
        try:
            seen.versions[predict().version] += 1
        except KnollError as error:
            seen.errors.append(str(error))

    with repeating(ask, every):
        yield seen
