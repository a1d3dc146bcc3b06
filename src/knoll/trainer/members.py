"""Where the content of each file of a dataset is, and how it is read: an object, or a member of an archive.

Members that lie next to each other are fetched together when the first of them is asked for, since a request
takes longer than a small file. Whoever then asks for one that is no longer here, asks in no order, and gets
that one alone.
"""

import io
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import IO, cast

from knoll.records.dataset import DatasetObject
from knoll.trainer.archives import BadMember, Member, read_directory
from knoll.trainer.objects import Objects

__all__ = ["BUNDLES", "FileReader", "Listed", "Place"]

_BUNDLE = 4 * 2**20  # bytes that are fetched together
_GAP = 4 * 2**10  # bytes between two reads that follow each other
_RECENT = 4  # bundles in memory
BUNDLES = _RECENT * _BUNDLE  # bytes

Listed = tuple[str, "Place | str | BadMember"]  # by name: where it is, why it is no data, or its fault


@dataclass(frozen=True)
class Place:
    """An object, or a member of it; `bundle` are the bytes of the object that are fetched with the member."""

    one: DatasetObject
    member: Member | None = None
    bundle: range = range(0)

    @property
    def size(self) -> int:
        """The bytes of the content."""
        return self.member.size if self.member else self.one.size


class FileReader:
    """Reads files, by where they are. Threads may share it. For faults of the store see `Objects`."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._lock = threading.Lock()
        self._recent: dict[tuple[str, int], Future[bytes]] = {}
        self._fetched: set[tuple[str, int]] = set()

    def read(self, place: Place) -> bytes:
        """The content. Raises InvalidData as `Member.unpack`."""
        one, member = place.one, place.member
        if member is None:
            return self._objects.whole(one)
        return self._objects.read_and_keep(
            one, member.place, lambda: member.unpack(self._packed(place, member))
        )

    def directory(self, one: DatasetObject, room: int) -> list[Listed]:
        """The members of an archive, as `read_directory` has them, with their places."""
        if one.size <= _BUNDLE:
            file: IO[bytes] = io.BytesIO(self._objects.whole(one))
        else:
            self._objects.check(one)
            file = cast("IO[bytes]", _Remote(one, self._objects))
        return list(_placed(one, list(read_directory(file, one.size, room))))

    def _packed(self, place: Place, member: Member) -> bytes:
        bundle = self._take_bundle(place)
        if bundle is None:
            return self._objects.part(place.one, member.place)
        start = place.bundle.start
        return bundle[member.place.start - start : member.place.stop - start]

    def _take_bundle(self, place: Place) -> bytes | None:
        """The bundle of a member; None if it was here before, and others have taken its room."""
        key = place.one.uri, place.bundle.start
        with self._lock:
            found = self._recent.get(key)
            if found is None and key in self._fetched:
                return None
            if is_first := found is None:
                found = self._recent[key] = Future()
                self._fetched.add(key)
                for old in [*self._recent][:-_RECENT]:
                    del self._recent[old]
        if is_first:
            try:
                found.set_result(self._fetch(place))
            except BaseException as error:
                found.set_exception(error)
        return found.result()

    def _fetch(self, place: Place) -> bytes:
        one, bundle = place.one, place.bundle
        if one.size <= _BUNDLE:
            return self._objects.whole(one)[bundle.start : bundle.stop]
        return self._objects.part(one, bundle)


class _Remote:
    """An object as a file. What follows what was read is likely to be read, so ever more of it comes with a
    request."""

    def __init__(self, one: DatasetObject, objects: Objects) -> None:
        self._one, self._objects, self._place = one, objects, 0
        self._block, self._body = range(0), b""

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._one.size}[whence]
        if self._place < 0:
            raise OSError("a place before the beginning")
        return self._place

    def tell(self) -> int:
        return self._place

    def read(self, size: int = -1) -> bytes:
        end = self._one.size if size < 0 else min(self._place + size, self._one.size)
        start, self._place = self._place, max(end, self._place)
        if start < self._block.start or end > self._block.stop:
            is_next = self._block.start <= start <= self._block.stop + _GAP
            more = min(2 * len(self._block), _BUNDLE) if is_next else 0
            self._block = range(start, min(max(end, start + more), self._one.size))
            self._body = self._objects.part(self._one, self._block)
        return self._body[start - self._block.start : end - self._block.start]


def _placed(one: DatasetObject, found: Iterable[tuple[str, Member | str | BadMember]]) -> Iterator[Listed]:
    told = list(found)
    bundles = _bundles(sorted((each.place for _, each in told if isinstance(each, Member)), key=_start))
    for name, each in told:
        yield name, Place(one, each, bundles[each.place.start]) if isinstance(each, Member) else each


def _bundles(places: Iterable[range]) -> dict[int, range]:
    """By the start of each member, the bytes that are fetched with it. The places are in order."""
    found: dict[int, range] = {}
    together: list[range] = []
    for place in places:
        if together and place.stop - together[0].start > _BUNDLE:
            found |= dict.fromkeys(map(_start, together), range(together[0].start, together[-1].stop))
            together = []
        together.append(place)
    if together:
        found |= dict.fromkeys(map(_start, together), range(together[0].start, together[-1].stop))
    return found


def _start(place: range) -> int:
    return place.start
