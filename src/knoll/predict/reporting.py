"""Reports of a predictor in the background, while it serves."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Protocol

__all__ = ["all_reporting", "reporting"]

_LAST_WITHIN = 5.0  # seconds for the last one


class _Reporter(Protocol):
    def reporting(self) -> AbstractContextManager[None]: ...


@contextmanager
def all_reporting(*reporters: _Reporter) -> Iterator[None]:
    """All of them report meanwhile, and for the last time at the end."""
    with ExitStack() as stack:
        for one in reporters:
            stack.enter_context(one.reporting())
        yield


@contextmanager
def reporting(send: Callable[[], None], name: str, seconds: float = 1.0) -> Iterator[None]:
    """Call `send` every so many seconds meanwhile, and for the last time at the end, in threads with that
    name.

    A broker may answer a report late, because a function behind it has to start. So the last report does not
    wait for an earlier one, and takes a few seconds at most.
    """
    ended = threading.Event()

    def send_until_ended() -> None:
        while not ended.wait(seconds):
            send()

    _start(send_until_ended, name)
    try:
        yield
    finally:
        ended.set()
        _start(send, name).join(_LAST_WITHIN)


def _start(work: Callable[[], None], name: str) -> threading.Thread:
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread
