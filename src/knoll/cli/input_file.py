"""A file that a command reads whole, or what comes through standard input, up to a bound: /dev/zero and a
pipe have no end."""

import os
import sys
from errno import EBADF
from pathlib import Path
from typing import BinaryIO

from knoll.errors import KnollError, NotFound
from knoll.quantities import in_words
from knoll.quoting import escaped

__all__ = ["input_name", "read_input"]


def input_name(path: str | Path) -> str:
    """The file in messages; "-" is standard input."""
    return "stdin" if str(path) == "-" else escaped(str(path))


def read_input(path: str | Path, most: int, fix: str) -> bytes:
    """The bytes of the file, `most` of them at most; "-" is standard input. Raises NotFound if there is no
    such file, and KnollError if it is too large or cannot be read, both with that fix."""
    name = input_name(path)
    try:
        if str(path) == "-":
            body = _standard_input().read(most + 1)
        else:
            with Path(path).open("rb") as file:
                body = file.read(most + 1)
    except FileNotFoundError as error:
        raise NotFound(f"{name}: there is no such file", fix=fix) from error
    except OSError as error:
        raise KnollError(f"{name}: cannot be read: {error.strerror}", fix=fix) from error
    if len(body) > most:
        raise KnollError(f"{name}: larger than {in_words(most)}", fix=fix)
    return body


def _standard_input() -> BinaryIO:
    """Raises OSError if it was closed before the start."""
    if sys.stdin is None:
        raise OSError(EBADF, os.strerror(EBADF))
    return sys.stdin.buffer
