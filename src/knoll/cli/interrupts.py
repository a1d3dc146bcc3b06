"""Ctrl-C: each command that may take long says what it leaves behind."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["leaving"]


@contextmanager
def leaving(words: str | Callable[[], str]) -> Iterator[None]:
    """If Ctrl-C ends the block, the command ends with these words on stderr. If `words` is a function, it is
    called only then. Of nested blocks, only the outermost one prints."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(words if isinstance(words, str) else words()) from error
