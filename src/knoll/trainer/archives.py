"""Zip archives in a dataset, which are read as folders. With the rule `object`, one archive is one dataset.

Members stay in memory and are never written to disk. What a header says is not trusted: it is compared with
the memory of the Job first, and reading stops there, so that a small archive cannot fill the machine.
"""

import io
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from zipfile import ZipFile, ZipInfo

from knoll.data_files import why_skipped
from knoll.data_layout import is_archive
from knoll.errors import InvalidData
from knoll.quantities import in_words
from knoll.quoting import escaped
from knoll.trainer.zip_names import MAKE_AGAIN, member_names

__all__ = ["BadMember", "read_archive"]

_ENTRY = b"PK\x01\x02"  # begins each entry of the directory
_BLOCK = 2**20
_MEMBER = 4 * 2**10  # bytes of memory that the directory takes for each
_MOST_RATIO = 200  # of what is no small archive
_SMALL = 64 * 2**20
_LESS = "; raise spec.training.resources.memory, or put less into the archive"
_UNIX = 3  # create_system
_FAULTS = (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, OSError, ValueError)
_OTHERS = {  # where the first bytes of each lie
    "a tar.gz or another gzip": (0, b"\x1f\x8b"),
    "a 7z archive": (0, b"7z\xbc\xaf\x27\x1c"),
    "a RAR archive": (0, b"Rar!"),
    "a tar archive": (257, b"ustar"),
    "an xz archive": (0, b"\xfd7zXZ"),
    "a bzip2 archive": (0, b"BZh"),
    "a part of a zip archive in several": (0, b"PK\x07\x08"),
}


@dataclass(frozen=True)
class BadMember:
    """A member that cannot be unpacked, while the others may be: `fault` says why."""

    fault: str


def read_archive(body: bytes, room: int) -> Iterator[tuple[str, bytes | str | BadMember]]:
    """Each member's name with its bytes, with the reason why it is skipped, or as bad. `room` is how many
    bytes of memory are left.

    Raises InvalidData that says what is wrong with the archive and what to do.
    """
    most, found = room // _MEMBER, body.count(_ENTRY)
    if found > most:
        raise InvalidData(f"it has {found:,} members, and there is memory for {max(most, 0):,}{_LESS}")
    with _opened(body) as archive:
        entries = archive.infolist()
        wanted = []
        for entry, name in zip(entries, member_names(entries), strict=True):
            reason = _why_skipped(entry, name)
            if reason is None:
                wanted.append((entry, name))
            elif not name.endswith("/"):
                yield name, reason
        _check(wanted, len(body), room)
        for entry, name in wanted:
            yield name, _content(archive, entry)


def _opened(body: bytes) -> ZipFile:
    """The archive, whose directory is read. Raises InvalidData in words of ours alone."""
    try:
        return ZipFile(io.BytesIO(body))
    except UnicodeDecodeError as error:
        name = escaped(repr(error.object)[2:-1])
        raise InvalidData(
            f"the name {name} in it is not in the UTF-8 that the archive says; {MAKE_AGAIN}"
        ) from error
    except _FAULTS as error:
        kind = next((name for name, (place, head) in _OTHERS.items() if body.startswith(head, place)), "")
        fault = f"is {kind}, and only zip is read" if kind else "is no zip archive, or its end is missing"
        raise InvalidData(f"it {fault}; make a zip archive of the files") from error


def _why_skipped(entry: ZipInfo, name: str) -> str | None:
    mode = entry.external_attr >> 16 if entry.create_system == _UNIX else 0
    if stat.S_ISLNK(mode):
        return "a link"
    if stat.S_IFMT(mode) and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return "not a file"
    return why_skipped(name)


def _content(archive: ZipFile, entry: ZipInfo) -> bytes | BadMember:
    """The bytes, not more than the directory says. A block at a time, as each is unpacked whole."""
    if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        return BadMember(
            f"it has compression {entry.compress_type}; make the archive again with the usual one, deflate"
        )
    if entry.flag_bits & 1:
        return BadMember("it is encrypted; make the archive again, without a password")
    try:
        with archive.open(entry) as member:
            return b"".join(iter(partial(member.read, _BLOCK), b""))
    except _FAULTS:
        return BadMember("it is damaged, or is not what the archive's directory says; make the archive again")


def _check(wanted: Sequence[tuple[ZipInfo, str]], size: int, room: int) -> None:
    """Compare what the directory says with the limits, before anything is unpacked."""
    for _, name in wanted:
        if is_archive(name):
            raise InvalidData(
                f"it holds another archive, {escaped(name)}, which is not read; unpack that one first"
            )
    total = sum(entry.file_size for entry, _ in wanted)
    if total > room:
        raise InvalidData(f"it unpacks to {in_words(total)}, and there is memory for {in_words(room)}{_LESS}")
    if total > max(_SMALL, _MOST_RATIO * size):
        raise InvalidData(
            f"it unpacks to {in_words(total)}, {total // max(size, 1)} times its size, and {_MOST_RATIO} "
            "times are allowed; upload the files themselves"
        )
