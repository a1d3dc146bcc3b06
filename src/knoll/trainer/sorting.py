"""The files on which a run trains: those that were read, with archives unpacked, and without what is no
data."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from knoll.data_files import Skipped, normal, tally, why_skipped
from knoll.data_layout import is_archive
from knoll.errors import InvalidData
from knoll.families.base import Files
from knoll.quoting import escaped
from knoll.trainer.archives import BadMember, read_archive

__all__ = ["Sorted", "sort_files"]

_TWICE = "the same file twice, under names that look alike"


class Sorted(NamedTuple):
    """`files` by key in NFC, with the members of each archive in its place, as `<archive>/<member>`; what was
    `skipped`, because it is no data; and why members of archives are `bad`, by key."""

    files: Files
    skipped: tuple[Skipped, ...]
    bad: Mapping[str, str]


def sort_files(read: Files, room: int) -> Sorted:
    """Sort what was read. `room` is how many bytes of memory are left.

    Raises InvalidData that names an archive that cannot be unpacked, or two files with one name.
    """
    found: dict[str, bytes] = {}
    skipped: list[tuple[str, str]] = []
    bad: dict[str, str] = {}
    for key, content in _unpacked(read, room):
        name = normal(key)
        if isinstance(content, str):
            skipped.append((content, key))
        elif isinstance(content, BadMember):
            bad[name] = content.fault
        elif name not in found:
            found[name] = content
        elif found[name] == content:
            skipped.append((_TWICE, key))
        else:
            raise InvalidData(
                f"two files have the same name {escaped(name)}, or differ only in Unicode form; "
                "rename or remove one of them"
            )
    return Sorted(found, tally(skipped), bad)


def _unpacked(read: Files, room: int) -> Iterator[tuple[str, bytes | str | BadMember]]:
    for key, body in read.items():
        if reason := why_skipped(key):
            yield key, reason
        elif is_archive(key):
            try:
                for name, content in read_archive(body, room):
                    room -= len(content) if isinstance(content, bytes) else 0
                    yield f"{key}/{name}", content
            except InvalidData as error:
                raise InvalidData(f"{escaped(key)}: {error}") from error
        else:
            yield key, body
