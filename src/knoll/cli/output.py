"""Standard output and standard error, whatever is behind them: a terminal that lacks our characters, a pipe
that closes, a full disk, or nothing.

Text is escaped here, so that names from strangers never act on the terminal.
"""

import codecs
import errno
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions
from rich.segment import Segment

from knoll.quoting import escaped

__all__ = ["OutputLost", "TextConsole", "echo", "guarded_output", "multiline"]

_HANDLER = "knoll.replace"
_ALIKE = str.maketrans(
    {
        **dict.fromkeys("—–─━╌╺╸╴╶", "-"),
        **dict.fromkeys("│┃|├┝", "|"),
        **dict.fromkeys("└╰┗", "`"),
        **dict.fromkeys("█▉▊▋▌▍▎▏■", "#"),
        **dict(zip("▁▂▃▄▅▆▇", "_.-=+*%", strict=True)),
        **dict.fromkeys("•·", "*"),
        **dict.fromkeys("→▶", ">"),
        "…": "...",
        "×": "x",
    }
)


class OutputLost(OSError):
    """Standard output cannot be written."""


class _Guarded:
    """A text stream that raises OutputLost if it cannot be written, or drops the text if it is not vital."""

    def __init__(self, stream: TextIO, *, is_vital: bool) -> None:
        self._stream, self._is_vital = stream, is_vital

    def write(self, text: str) -> int:
        with self._losing():
            self._stream.write(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        with self._losing():
            self._stream.flush()

    @contextmanager
    def _losing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:  # a stream that was closed raises ValueError
            if self._is_vital:
                raise OutputLost(
                    getattr(error, "errno", None) or errno.EBADF,
                    getattr(error, "strerror", None) or os.strerror(errno.EBADF),
                ) from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class TextConsole(Console):
    """A console for text: nothing in it is markup, and characters without a glyph are escaped."""

    def __init__(self, *, stderr: bool = False, width: int | None = None) -> None:
        super().__init__(stderr=stderr, width=width, highlight=False, emoji=False, markup=False)

    def render(self, renderable: Any, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """The segments of what is shown, without the control characters of its texts."""
        for one in super().render(renderable, options):
            yield one if one.control else Segment(multiline(one.text), one.style)


@contextmanager
def guarded_output() -> Iterator[None]:
    """Inside, standard output and error take every character. Raises OutputLost at the end, too, if the last
    text cannot be written."""
    before = sys.stdout, sys.stderr
    sys.stdout = _guarded(sys.stdout, 1, is_vital=True)
    sys.stderr = _guarded(sys.stderr, 2, is_vital=False)
    try:
        yield
        sys.stdout.flush()
    except SystemExit:
        sys.stdout.flush()
        raise
    except OutputLost:
        _mute()
        raise
    finally:
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


def echo(*lines: str, err: bool = False) -> None:
    """Print lines. Characters without a glyph are escaped, line breaks too."""
    for line in lines:
        print(escaped(line), file=sys.stderr if err else sys.stdout)


def multiline(text: str) -> str:
    """The text with its line breaks and tabs; all other characters without a glyph are escaped."""
    if text.isprintable():
        return text
    return "\n".join("\t".join(map(escaped, line.split("\t"))) for line in text.split("\n"))


def _guarded(stream: TextIO | None, number: int, *, is_vital: bool) -> Any:
    if stream is None:  # it was closed before the start
        stream = _closed(number)
    codecs.register_error(_HANDLER, _replace)
    with suppress(AttributeError):  # a stream of a test may have no encoding
        stream.reconfigure(errors=_HANDLER)  # type: ignore[attr-defined]
    return _Guarded(stream, is_vital=is_vital)


def _closed(number: int) -> TextIO:
    """A stream that cannot be written. The number of the closed one is taken, so that no other file gets
    it."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_RDONLY), number)
    return open(number, "w", encoding="utf-8", closefd=False)


def _mute() -> None:
    """Let the interpreter's last flush go nowhere."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _replace(error: UnicodeError) -> tuple[str, int]:
    """In place of characters that the encoding lacks: similar ones, or their numbers."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(_ALIKE)
    shown = "".join(
        one if one.isascii() else one.encode("ascii", "backslashreplace").decode() for one in text
    )
    return shown, error.end
