"""Tar archives, which have no directory: they are read once from beginning to end, some megabytes at a time.
That gives the place of each member, and a checksum for when it is read later.
"""

import zlib
from collections.abc import Iterator
from contextlib import suppress
from tarfile import BLOCKSIZE, TarError, TarFile, TarInfo
from typing import IO, cast

from knoll.data_files import why_skipped
from knoll.errors import InvalidData
from knoll.quantities import in_words
from knoll.quoting import escaped
from knoll.trainer.archive_members import ENTRY, LESS, BadMember, Found, Member, check_member
from knoll.trainer.zip_names import MAKE_AGAIN, as_meant, inside

__all__ = ["is_tar", "read_tar"]

_SIGN, _PLACE = b"ustar", 257
_LONGEST_HEADER = 2**20  # bytes: a header may be followed by a long name
_AT_ONCE = 2**20  # bytes
_FAULTS = (TarError, ValueError, ArithmeticError, LookupError, EOFError, OSError, RecursionError)
_MAKE = "make a tar archive of the files"
_NO_END = f"its end is missing, or it is damaged; {_MAKE}"


def is_tar(head: bytes) -> bool:
    """Whether a file begins like a tar archive; the oldest kind, v7, has no sign but its checksum."""
    with suppress(TarError):
        return bool(TarInfo.frombuf(head[:BLOCKSIZE], "utf-8", "surrogateescape"))
    return head.startswith(_SIGN, _PLACE)


def read_tar(file: IO[bytes], size: int, room: int) -> Found:
    """See `read_directory`."""
    before, most = 0, room // ENTRY
    for number, (entry, end) in enumerate(_entries(file)):
        if number >= most:
            raise InvalidData(f"it has more than {most:,} members, and there is memory for no more{LESS}")
        if entry.size < 0 or not before < entry.offset_data <= end <= size:
            raise InvalidData(_NO_END)
        before, name = end, _name(entry)
        reason = _why_no_file(entry) or why_skipped(name)
        if entry.isdir():
            continue
        if reason is None:
            check_member(name, entry.size, room)
        yield name, reason or _member(entry, file)
    _check_end(file, before)


def _entries(file: IO[bytes]) -> Iterator[tuple[TarInfo, int]]:
    """The entries, which are not kept, and where the bytes of each end. Raises InvalidData in words of ours
    alone."""
    try:
        with TarFile.open(
            fileobj=cast("IO[bytes]", _Headers(file)), mode="r:", encoding="utf-8", errors="surrogateescape"
        ) as archive:
            while entry := archive.next():
                yield entry, archive.offset
                archive.members = []  # type: ignore[attr-defined]
    except _FAULTS as error:
        raise InvalidData(_NO_END) from error


class _Headers:
    """A file of which no header is read that is too long."""

    def __init__(self, file: IO[bytes]) -> None:
        self.seek, self.tell = file.seek, file.tell
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LONGEST_HEADER:
            raise InvalidData(f"one of its headers has {in_words(abs(size))}; {_MAKE}")
        return self._file.read(size)


def _name(entry: TarInfo) -> str:
    name = inside(entry.name)
    raw = name.encode("utf-8", "surrogateescape")
    try:
        return as_meant(raw.decode())
    except UnicodeDecodeError as error:
        if why_skipped(name) is not None:  # no other name can be a class
            return raw.decode(errors="replace")
        told = escaped(repr(raw)[2:-1])
        raise InvalidData(f"the name {told} in it is not in UTF-8; {MAKE_AGAIN}") from error


def _why_no_file(entry: TarInfo) -> str | None:
    if entry.issym() or entry.islnk():
        return "a link"
    return None if entry.isreg() else "not a file"


def _member(entry: TarInfo, file: IO[bytes]) -> Member | BadMember:
    if entry.issparse():
        return BadMember("it is stored without its zeros; make the archive again, without --sparse")
    file.seek(entry.offset_data)
    crc, left = 0, entry.size
    while left:
        body = file.read(min(left, _AT_ONCE))
        if not body:
            raise InvalidData(_NO_END)
        crc, left = zlib.crc32(body, crc), left - len(body)
    return Member(range(entry.offset_data, entry.offset_data + entry.size), entry.size, crc)


def _check_end(file: IO[bytes], end: int) -> None:
    """Raise InvalidData unless there are only zeros from there on: if a member in the midst has no header
    that can be read, the archive seems to end before it."""
    file.seek(end)
    count = 0
    while body := file.read(_AT_ONCE):
        if body.strip(b"\0"):
            raise InvalidData(_NO_END)
        count += len(body)
    if count < BLOCKSIZE:
        raise InvalidData(_NO_END)
