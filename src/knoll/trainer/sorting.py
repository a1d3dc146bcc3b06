"""The files on which a run trains: those that were read, with archives unpacked, and without what is no
data."""

from collections.abc import Iterator

from knoll.data_files import Skipped, normal, tally, why_skipped
from knoll.data_layout import is_archive
from knoll.errors import InvalidData
from knoll.families.base import Files
from knoll.quoting import escaped
from knoll.trainer.archives import read_archive

__all__ = ["sort_files"]

_TWICE = "the same file twice, under names that look alike"


def sort_files(read: Files, room: int) -> tuple[Files, tuple[Skipped, ...]]:
    """The files by key in NFC, with the members of each archive in its place, as `<archive>/<member>`; and
    what was skipped. `room` is how many bytes of memory are left.

    Raises InvalidData that names an archive that cannot be unpacked, or two files with one name.
    """
    found: dict[str, bytes] = {}
    skipped: list[tuple[str, str]] = []
    for key, content in _unpacked(read, room):
        name = normal(key)
        if isinstance(content, str):
            skipped.append((content, key))
        elif name not in found:
            found[name] = content
        elif found[name] == content:
            skipped.append((_TWICE, key))
        else:
            raise InvalidData(
                f"there are two files {escaped(name)}, whose names differ at most in their Unicode form; "
                "rename or remove one of them"
            )
    return found, tally(skipped)


def _unpacked(read: Files, room: int) -> Iterator[tuple[str, bytes | str]]:
    for key, body in read.items():
        if reason := why_skipped(key):
            yield key, reason
        elif is_archive(key):
            try:
                for name, content in read_archive(body, room):
                    room -= 0 if isinstance(content, str) else len(content)
                    yield f"{key}/{name}", content
            except InvalidData as error:
                raise InvalidData(f"{escaped(key)}: {error}") from error
        else:
            yield key, body
