"""The files on which a run trains: those of its dataset, with archives read as folders, and without what is
no data."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from knoll.data_files import Skipped, normal, tally, why_skipped
from knoll.data_kinds import is_archive
from knoll.errors import InvalidData
from knoll.families.base import ahead
from knoll.quoting import escaped
from knoll.records.dataset import Dataset, DatasetObject
from knoll.trainer.archives import BadMember
from knoll.trainer.members import FileReader, Listed, Place

__all__ = ["Sorted", "sort_files"]

_TWICE = "the same file twice, under names that look alike"
_READERS = 8  # of directories


class Sorted(NamedTuple):
    """`places` of files by key in NFC, with the members of each archive in its place, as
    `<archive>/<member>`; what was `skipped`, because it is no data; and why members of archives are `bad`, by
    key."""

    places: Mapping[str, Place]
    skipped: tuple[Skipped, ...]
    bad: Mapping[str, str]


def sort_files(dataset: Dataset, reader: FileReader, room: int) -> Sorted:
    """Sort what lies in the dataset. `room` is how many bytes of memory a member of an archive may take.

    Raises InvalidData that names an archive that cannot be unpacked, or two files with one name.
    """
    places: dict[str, Place] = {}
    skipped: list[tuple[str, str]] = []
    bad: dict[str, str] = {}
    for key, found in _listed(dataset, reader, room):
        name = normal(key)
        if isinstance(found, str):
            skipped.append((found, key))
        elif isinstance(found, BadMember):
            bad[name] = found.fault
        elif name not in places:
            places[name] = found
        elif _are_same(places[name], found, reader):
            skipped.append((_TWICE, key))
        else:
            raise InvalidData(
                f"two files have the same name {escaped(name)}, or differ only in Unicode form; "
                "rename or remove one of them"
            )
    return Sorted(places, tally(skipped), bad)


def _listed(dataset: Dataset, reader: FileReader, room: int) -> Iterator[Listed]:
    def look(one: DatasetObject) -> Iterable[Listed]:
        key = one.uri.removeprefix(dataset.prefix)
        if reason := why_skipped(key):
            return [(key, reason)]
        if not is_archive(key):
            return [(key, Place(one))]
        try:
            return [(f"{key}/{name}", found) for name, found in reader.directory(one, room)]
        except InvalidData as error:
            raise InvalidData(f"{escaped(key)}: {error}") from error

    has_archives = any(is_archive(one.uri) for one in dataset.objects)
    for found in ahead(look, dataset.objects, _READERS if has_archives else 0, 2 * _READERS):
        yield from found


def _are_same(one: Place, other: Place, reader: FileReader) -> bool:
    with suppress(InvalidData):  # one of them is damaged
        return reader.read(one) == reader.read(other)
    return False
