"""The names of the members of a zip archive, as whoever made it saw them.

The format says CP437 or UTF-8. Programs write what their system uses, and older ones of Windows separate
folders by backslashes. A name that may be in one of several encodings, or was read in a wrong one before, is
refused, because it may be a class.
"""

import re
import struct
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from zipfile import ZipInfo

from knoll.data_files import why_skipped
from knoll.errors import InvalidData
from knoll.quoting import escaped

__all__ = ["MAKE_AGAIN", "as_meant", "inside", "member_names"]

MAKE_AGAIN = "make the archive again with a program that writes UTF-8, such as 7-Zip or zip"

_IS_UTF8 = 0x800  # flag
_UNICODE_PATH = 0x7075  # extra field: the name in UTF-8
_OF_WINDOWS = {0, 10, 11, 14}  # create_system: FAT, NTFS, NTFS as Info-ZIP has it, VFAT
_WESTERN = "ÇüéâäçëîÄÉôöÖÜáíóúß"  # letters that are the same bytes in code pages 437, 850 and 852
_EASTERN = ("shift_jis", "gbk", "euc_kr", "big5")
_CERTAIN = 4  # different letters: one of five in GBK is also one in UTF-8, and so are words of code page 866
_MEANT = rb"(?:[\x00-\x7f]|[\xc2\xc3][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2})*"
_MISREAD = {"cp437": rb"[\x00-\xff]*", "cp1252": _MEANT, "latin-1": _MEANT}  # what nobody means in them


def member_names(entries: Iterable[ZipInfo]) -> list[str]:
    """The name of each entry, with slashes, without empty parts; a folder's ends with a slash.

    Raises InvalidData if a name cannot be read for sure, or leads out of the archive.
    """
    told = list(entries)
    is_utf8 = _are_utf8([entry for entry in told if _said(entry) is None and _is_data(entry)])
    names = [_decoded(entry, is_utf8=is_utf8) for entry in told]
    has_slash = any("/" in name for name in names if why_skipped(name) is None)
    return [
        inside(name.replace("\\", "/") if not has_slash or entry.create_system in _OF_WINDOWS else name)
        for entry, name in zip(told, names, strict=True)
    ]


def _said(entry: ZipInfo) -> str | None:
    """The name in the encoding that the archive says; None if it says none."""
    if entry.flag_bits & _IS_UTF8:
        return entry.orig_filename
    said = _unicode_path(entry.extra, _raw(entry))
    if said and _can_be(said, "utf-8"):
        return said.decode()
    return entry.orig_filename if entry.orig_filename.isascii() else None


def _is_data(entry: ZipInfo) -> bool:
    """Whether the entry is a file to train on: no other name can be a class."""
    return why_skipped(entry.orig_filename) is None


def _raw(entry: ZipInfo) -> bytes:
    """The name as it stands in the archive, which Python has read as CP437."""
    return entry.orig_filename.encode("cp437")


def _are_utf8(entries: Sequence[ZipInfo]) -> bool:
    """Whether these names, which do not say what they are in, are all in UTF-8. Few letters of Windows may
    only look so."""
    raw = [_raw(entry) for entry in entries]
    if not all(_can_be(name, "utf-8") for name in raw):
        return False
    letters = {letter for name in raw for letter in name.decode() if not letter.isascii()}
    return len(letters) >= _CERTAIN or not any(entry.create_system in _OF_WINDOWS for entry in entries)


def _decoded(entry: ZipInfo, *, is_utf8: bool) -> str:
    """The name; `is_utf8` if all names of data that do not say what they are in are in UTF-8."""
    name = _said(entry)
    if name is not None:
        return as_meant(name)
    raw = _raw(entry)
    if not _is_data(entry):
        return raw.decode(errors="replace")
    if is_utf8:
        return as_meant(raw.decode())
    if _is_western(entry.orig_filename) and not any(_can_be(raw, one) for one in _EASTERN):
        return entry.orig_filename
    raise InvalidData(
        f"the name {escaped(repr(raw)[2:-1])} may be in one of several encodings, and the archive does not "
        f"say in which; {MAKE_AGAIN}, or give the files plain names"
    )


def as_meant(name: str) -> str:
    """The name itself. Raises InvalidData if a program has read its UTF-8 in an old code page before."""
    for part in re.split(r"[/\\]", name) if why_skipped(name) is None else ():
        if meant := _before_misread(part):
            raise InvalidData(
                f"the name {escaped(part)} is {escaped(meant)}, which some program has read in a wrong "
                f"encoding; {MAKE_AGAIN}, or rename it"
            )
    return name


def _before_misread(part: str) -> str:
    for encoding, sure in _MISREAD.items() if not part.isascii() else ():
        with suppress(UnicodeError):
            raw = part.encode(encoding)
            if re.fullmatch(sure, raw):
                return raw.decode()
    return ""


def _is_western(name: str) -> bool:
    """Whether each part of the name is of plain letters with some accents among them: words of other code
    pages have none or few plain letters."""
    for part in re.split(r"[/\\]", name):
        accents = [letter for letter in part if not letter.isascii()]
        plain = sum(letter.isascii() and letter.isalpha() for letter in part.rpartition(".")[0] or part)
        if not set(accents) <= set(_WESTERN) or (accents and len(accents) >= plain):
            return False
    return True


def _unicode_path(extra: bytes, raw: bytes) -> bytes:
    """The name that stands in the extra field, if it is of this name."""
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, place)
        body = extra[place + 4 : place + 4 + length]
        if kind == _UNICODE_PATH and len(body) > 5 and body[1:5] == struct.pack("<I", zlib.crc32(raw)):
            return body[5:]
        place += 4 + length
    return b""


def _can_be(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def inside(name: str) -> str:
    """The name without empty parts. Raises InvalidData if it leads out of the archive."""
    if "\0" in name:
        raise InvalidData(f"the name {escaped(name)} has a zero byte; {MAKE_AGAIN}")
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if name.startswith("/") or ".." in parts or re.match("[A-Za-z]:", name):
        raise InvalidData(
            f"the member {escaped(name)} leads out of the archive; make the archive again with relative names"
        )
    return "/".join(parts) + ("/" if name.endswith("/") else "")
