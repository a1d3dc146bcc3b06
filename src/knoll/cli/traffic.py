"""Predictions that go on in the background, and the versions that answered."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from knoll.errors import KnollError

if TYPE_CHECKING:
    from knoll.ports import PredictAnswer

__all__ = ["Traffic", "repeating", "traffic"]


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


@contextmanager
def repeating(act: Callable[[], object], every: float, patience: float = 30) -> Iterator[None]:
    """Call `act` every `every` seconds in a thread until the block is left. Then wait `patience` seconds at
    most for the last call."""
    over = threading.Event()

    def flow() -> None:
        while not over.is_set():
            act()
            over.wait(every)

    thread = threading.Thread(target=flow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(patience)
