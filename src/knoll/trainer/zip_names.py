"""The names of the members of a zip archive, as whoever made it saw them.

The format says CP437 or UTF-8. Programs write what their system uses, and older ones of Windows separate
folders by backslashes. A name that may be in one of several encodings is refused, because it may be a class.
"""

import re
import struct
import zlib
from collections.abc import Iterable
from zipfile import ZipInfo

from knoll.data_files import why_skipped
from knoll.errors import InvalidData
from knoll.quoting import escaped

__all__ = ["member_names"]

_IS_UTF8 = 0x800  # flag
_UNICODE_PATH = 0x7075  # extra field: the name in UTF-8
_OF_WINDOWS = {0, 10, 14}  # create_system: FAT, NTFS, VFAT
_WESTERN = "ÇüéâäçëîÄÉôöÖÜáíóúß"  # letters that are the same bytes in code pages 437, 850 and 852
_EASTERN = ("shift_jis", "gbk", "euc_kr", "big5")


def member_names(entries: Iterable[ZipInfo]) -> list[str]:
    """The name of each entry, with slashes, without empty parts; a folder's ends with a slash.

    Raises InvalidData if a name cannot be read for sure, or leads out of the archive.
    """
    told = list(entries)
    is_utf8 = all(_can_be(_raw(entry), "utf-8") for entry in told if not _is_told(entry))
    names = [_decoded(entry, is_utf8=is_utf8) for entry in told]
    has_slash = any("/" in name for name in names if why_skipped(name) is None)
    return [
        _inside(name.replace("\\", "/") if not has_slash or entry.create_system in _OF_WINDOWS else name)
        for entry, name in zip(told, names, strict=True)
    ]


def _is_told(entry: ZipInfo) -> bool:
    return bool(entry.flag_bits & _IS_UTF8) or entry.filename.isascii()


def _raw(entry: ZipInfo) -> bytes:
    """The name as it stands in the archive, which Python has read as CP437."""
    return entry.filename.encode("cp437")


def _decoded(entry: ZipInfo, *, is_utf8: bool) -> str:
    """The name; `is_utf8` if all names of the archive that do not say what they are in can be UTF-8."""
    if _is_told(entry):
        return entry.filename
    raw = _raw(entry)
    said = _unicode_path(entry.extra, raw)
    if said and _can_be(said, "utf-8"):
        return said.decode()
    if is_utf8:
        return raw.decode()
    if _is_western(entry.filename) and not any(_can_be(raw, one) for one in _EASTERN):
        return entry.filename
    raise InvalidData(
        f"the name {escaped(repr(raw)[2:-1])} is not in UTF-8, and the archive does not say what it is in; "
        "make the archive again with a program that writes UTF-8, such as 7-Zip or zip, or give the files "
        "plain names"
    )


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


def _inside(name: str) -> str:
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if name.startswith("/") or ".." in parts or re.match("[A-Za-z]:", name):
        raise InvalidData(
            f"the member {escaped(name)} leads out of the archive; make the archive again with relative names"
        )
    return "/".join(parts) + ("/" if name.endswith("/") else "")
