"""The text of a table: in UTF-8 with or without a byte-order mark, or in UTF-16 with one. Other encodings are
refused by name, since a guess would be silent when it is wrong."""

import io
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE, getincrementaldecoder
from collections.abc import Iterator

from knoll.errors import InvalidData
from knoll.tables.limits import LONGEST_CELL, LONGEST_ROW

__all__ = ["Lines", "open_text", "read_text"]

_AT_ONCE = 2**20  # bytes
_MARKS = {BOM_UTF8: "utf-8-sig", BOM_UTF16_LE: "utf-16", BOM_UTF16_BE: "utf-16"}
_UTF16 = "it looks like UTF-16 without a byte-order mark: save it as UTF-8"


class Lines:
    """The lines of a text, with the ends that they have. `number` is that of the last line that was read.
    Whoever reads several as one row calls `begin_row` before each row."""

    def __init__(self, text: io.TextIOBase) -> None:
        self._text, self._taken, self.number = text, 0, 0

    def begin_row(self) -> None:
        """The next line belongs to another row."""
        self._taken = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """Raises InvalidData if a row is too long, before it is in memory."""
        line = self._text.readline(LONGEST_ROW + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self._taken += len(line)
        if self._taken > LONGEST_ROW:
            raise InvalidData(
                f"it has a row with more than {LONGEST_ROW:,} characters, in line {self.number}: see whether "
                "a quote is not closed"
            )
        return line


def open_text(body: bytes) -> Lines:
    """The lines of a file. Raises InvalidData, in words that begin with "it", if its encoding is another
    one."""
    encoding = _encoding(body)
    _check_encoding(body, encoding)
    return Lines(io.TextIOWrapper(io.BytesIO(body), encoding, newline=""))


def read_text(body: bytes) -> str:
    """A file that is one text. Raises InvalidData, in words that begin with "it", if its encoding is another
    one, or if it is longer than a cell may be."""
    encoding = _encoding(body)
    _check_encoding(body, encoding)
    text = body.decode(encoding)
    if len(text) > LONGEST_CELL:
        raise InvalidData(f"it has {len(text):,} characters, more than {LONGEST_CELL:,}: split it")
    return text


def _encoding(body: bytes) -> str:
    if body.startswith((BOM_UTF32_LE, BOM_UTF32_BE)):  # the first begins as the mark of UTF-16
        raise InvalidData("it is UTF-32: save it as UTF-8")
    found = next((name for mark, name in _MARKS.items() if body.startswith(mark)), "utf-8")
    if found != "utf-16" and b"\0" in body:
        head = body[:64]
        is_wide = head[::2].count(0) > len(head) // 4 or head[1::2].count(0) > len(head) // 4
        raise InvalidData(_UTF16 if is_wide else "it is no text: it has zero bytes")
    return found


def _check_encoding(body: bytes, encoding: str) -> None:
    """Raise InvalidData that names the first wrong byte and its line. The whole text is never in memory."""
    decoder = getincrementaldecoder(encoding)()
    line = 1
    for start in range(0, len(body), _AT_ONCE):
        part = body[start : start + _AT_ONCE]
        try:
            line += decoder.decode(part, final=start + _AT_ONCE >= len(body)).count("\n")
        except UnicodeDecodeError as error:
            raise _wrong_byte(error, line, encoding) from error


def _wrong_byte(error: UnicodeDecodeError, line: int, encoding: str) -> InvalidData:
    if encoding == "utf-16":
        return InvalidData(f"it is cut short or damaged UTF-16, near line {line}: save it as UTF-8")
    at = line + error.object[: error.start].count(b"\n")
    return InvalidData(
        f"it is not UTF-8: line {at} has the byte 0x{error.object[error.start]:02X}. If it is Latin-1 or "
        "Windows-1252, convert it: iconv -f WINDOWS-1252 -t UTF-8"
    )
