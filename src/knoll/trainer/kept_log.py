"""The log of this attempt, whose end is kept in the model bucket: a Pod takes its own log with it."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from threading import Lock
from typing import Any, TextIO

from knoll.errors import Unavailable
from knoll.ports import Platform
from knoll.records.run_log import write_run_log
from knoll.repeating import repeating
from knoll.trainer.report import say
from knoll.trainer.stopping import Terminated

__all__ = ["Tail", "keep_log"]

_MOST = 2**16  # characters
_EVERY = 60.0  # seconds


class Tail:
    """The end of a text that grows: whole lines."""

    def __init__(self, most: int = _MOST) -> None:
        self._most, self._lock = most, Lock()
        self._text, self._is_cut = "", False

    def add(self, text: str) -> None:
        """Add text. If there is too much, the oldest lines go."""
        with self._lock:
            self._text += text
            if len(self._text) > 2 * self._most:
                self._text, self._is_cut = self._newest(), True

    @property
    def text(self) -> str:
        """The lines that are left; the first one says if others are gone."""
        with self._lock:
            is_cut = self._is_cut or len(self._text) > self._most
            return "[earlier lines were not kept]\n" + self._newest() if is_cut else self._text

    def _newest(self) -> str:
        return self._text[-self._most :].partition("\n")[2]


class _Tee:
    """A stream whose text is also added to a tail."""

    def __init__(self, stream: TextIO, tail: Tail) -> None:
        self._stream, self._tail = stream, tail

    def write(self, text: str) -> int:
        self._tail.add(text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def keep_log(run: str, platform: Platform) -> Iterator[None]:
    """Keep the end of what this process writes in this block: once a minute, so that a process that is killed
    leaves it, and at the end, with the error that ends it. If the store does not take it, that is logged."""
    begun, tail, written = platform.clock.now(), Tail(), [""]

    def write() -> None:
        text = tail.text
        if text == written[0]:
            return
        try:
            write_run_log(run, begun, text, platform.bucket)
        except Unavailable as error:
            say(f"the log was not kept: {error}")
        written[0] = text

    try:
        with repeating(write, _EVERY, patience=None), _copied_to(tail):
            yield
    except Terminated:
        tail.add("terminated\n")
        raise
    except BaseException:
        tail.add(traceback.format_exc())
        raise
    finally:
        write()


@contextmanager
def _copied_to(tail: Tail) -> Iterator[None]:
    streams: Any = _Tee(sys.stdout, tail), _Tee(sys.stderr, tail)
    with redirect_stdout(streams[0]), redirect_stderr(streams[1]):
        yield
