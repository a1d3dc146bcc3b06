"""Zip archives: only the directory is read before the members."""

import struct
import zipfile
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from stat import S_IFMT, S_ISDIR, S_ISLNK, S_ISREG
from typing import IO, cast
from zipfile import ZipFile, ZipInfo

from knoll.data_files import why_skipped
from knoll.errors import InvalidData
from knoll.quantities import in_words
from knoll.quoting import escaped
from knoll.trainer.archive_members import DAMAGED, ENTRY, LESS, BadMember, Found, Member, check_member
from knoll.trainer.zip_names import MAKE_AGAIN, member_names

__all__ = ["read_zip"]

_OF_MEMBER, _OF_ENTRY = b"PK\x03\x04", b"PK\x01\x02"  # begin a member, and its entry of the directory
_MOST_RATIO = 200  # of what is no small archive
_SMALL = 64 * 2**20
_UNIX = 3  # create_system
_FAULTS = (zipfile.BadZipFile, zlib.error, struct.error, RuntimeError, EOFError, OSError, ValueError)
_OTHERS = {  # where the first bytes of each lie
    "a tar.gz or another gzip": (0, b"\x1f\x8b"),
    "a 7z archive": (0, b"7z\xbc\xaf\x27\x1c"),
    "a RAR archive": (0, b"Rar!"),
    "an xz archive": (0, b"\xfd7zXZ"),
    "a bzip2 archive": (0, b"BZh"),
    "a part of a zip archive in several": (0, b"PK\x07\x08"),
}
_HEAD = struct.Struct("<4s22xHH")  # of a member: signature, lengths of its name and of its extra field
_MOST_HEAD = _HEAD.size + 2 * 0xFFFF
_ENCRYPTED, _ODD, _UTF8 = 0x1, 0x60, 0x800  # flags: _ODD are strong encryption and patches


@dataclass(frozen=True)
class _ZipMember(Member):
    """A member with its head in `place`, which has its `name` again."""

    name: bytes
    packed: int
    is_deflated: bool

    def _content(self, body: bytes) -> bytes | None:
        with suppress(zlib.error, struct.error):
            signature, name, extra = _HEAD.unpack_from(body)
            start = _HEAD.size + name + extra
            packed = body[start : start + self.packed]
            is_whole = signature == _OF_MEMBER and body[_HEAD.size :][:name] == self.name
            if is_whole and len(packed) == self.packed:
                return _inflated(packed, self.size) if self.is_deflated else packed
        return None


def read_zip(file: IO[bytes], head: bytes, size: int, room: int) -> Found:
    """See `read_directory`; `head` are the first bytes."""
    with _opened(_Bounded(file, room), head) as archive:
        entries, end = archive.infolist(), archive.start_dir
    wanted = []
    for entry, name in zip(entries, member_names(entries), strict=True):
        reason = _why_skipped(entry, name)
        if reason is None:
            wanted.append((entry, name))
        elif not name.endswith("/"):
            yield name, reason
    _check(wanted, size, room)
    ends = dict(pairwise(sorted({end, *(entry.header_offset for entry in entries)})))
    for entry, name in wanted:
        yield name, _member(entry, ends.get(entry.header_offset, end))


def _inflated(packed: bytes, size: int) -> bytes:
    """Not more than the directory says, and one byte: then it is damaged."""
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, size + 1)


class _Bounded:
    """A file of which no more is read than `room`, nor more entries of a directory than have room in it."""

    def __init__(self, file: IO[bytes], room: int) -> None:
        self.seek, self.tell = file.seek, file.tell
        self._file, self._room = file, max(room, 0)

    def read(self, size: int = -1) -> bytes:
        if size > self._room:
            raise InvalidData(
                f"its directory has {in_words(size)}, and there is memory for {in_words(self._room)}{LESS}"
            )
        body = self._file.read(size)
        found, most = body.count(_OF_ENTRY), self._room // ENTRY
        if found > most:
            raise InvalidData(f"it has {found:,} members, and there is memory for {most:,}{LESS}")
        return body


def _opened(file: _Bounded, head: bytes) -> ZipFile:
    """The archive, whose directory is read. Raises InvalidData in words of ours alone."""
    try:
        return ZipFile(cast("IO[bytes]", file))
    except UnicodeDecodeError as error:
        name = escaped(repr(error.object)[2:-1])
        raise InvalidData(
            f"the name {name} in it is not in the UTF-8 that the archive says; {MAKE_AGAIN}"
        ) from error
    except _FAULTS as error:
        kind = next((name for name, (place, sign) in _OTHERS.items() if head.startswith(sign, place)), "")
        fault = (
            f"is {kind}, and only zip and tar are read"
            if kind
            else "is neither a zip nor a tar archive, or its end is missing"
        )
        raise InvalidData(f"it {fault}; make a zip archive of the files") from error


def _why_skipped(entry: ZipInfo, name: str) -> str | None:
    mode = entry.external_attr >> 16 if entry.create_system == _UNIX else 0
    if S_ISLNK(mode):
        return "a link"
    if S_IFMT(mode) and not (S_ISREG(mode) or S_ISDIR(mode)):
        return "not a file"
    return why_skipped(name)


def _member(entry: ZipInfo, end: int) -> Member | BadMember:
    """The member, whose bytes end there, or before."""
    if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        return BadMember(
            f"it has compression {entry.compress_type}; make the archive again with the usual one, deflate"
        )
    if entry.flag_bits & _ENCRYPTED:
        return BadMember("it is encrypted; make the archive again, without a password")
    start, most = entry.header_offset, _MOST_HEAD + entry.compress_size
    if entry.flag_bits & _ODD or not 0 <= start < end:
        return BadMember(DAMAGED)
    return _ZipMember(
        range(start, min(end, start + most)),
        entry.file_size,
        entry.CRC,
        entry.orig_filename.encode("utf-8" if entry.flag_bits & _UTF8 else "cp437"),
        entry.compress_size,
        entry.compress_type == zipfile.ZIP_DEFLATED,
    )


def _check(wanted: Sequence[tuple[ZipInfo, str]], size: int, room: int) -> None:
    """Compare what the directory says with the limits, before anything is unpacked."""
    for entry, name in wanted:
        check_member(name, entry.file_size + entry.compress_size, room)
    total = sum(entry.file_size for entry, _ in wanted)
    if total > max(_SMALL, _MOST_RATIO * size):
        raise InvalidData(
            f"it unpacks to {in_words(total)}, {total // max(size, 1)} times its size, and {_MOST_RATIO} "
            "times are allowed; upload the files themselves"
        )
