"""Ctrl-C: each command that may take long says what it leaves behind."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["ended_by_signals", "leaving"]


@contextmanager
def leaving(words: str | Callable[[], str]) -> Iterator[None]:
    """If Ctrl-C ends the block, the command ends with these words on stderr. If `words` is a function, it is
    called only then. Of nested blocks, only the outermost one prints."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(words if isinstance(words, str) else words()) from error


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP (the terminal was closed) end the block as Ctrl-C does, so that its `finally`
    runs."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    heard = [
        number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is not signal.SIG_IGN
    ]  # nohup ignores
    before = {number: signal.signal(number, interrupt) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
