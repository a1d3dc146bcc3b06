"""Work that goes on in the background of a block."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["repeating"]


@contextmanager
def repeating(act: Callable[[], object], every: float, patience: float | None = 30) -> Iterator[None]:
    """Call `act` every `every` seconds in a thread until the block is left. Then wait `patience` seconds at
    most for the last call; None means to its end."""
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
