"""Predictions that go on while something else happens, and who answered them."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from knoll.errors import KnollError

if TYPE_CHECKING:
    from knoll.ports import Answer

__all__ = ["Traffic", "repeating", "traffic"]


@dataclass
class Traffic:
    """Answers by version, and what went wrong."""

    versions: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)


@contextmanager
def traffic(predict: Callable[[], "Answer"], *, every: float = 0.05) -> Iterator[Traffic]:
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
    """Call `act` every `every` seconds in a thread until the block is left, and then wait `patience` seconds
    for the call in progress."""
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
