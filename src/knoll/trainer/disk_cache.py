"""What was read of a dataset, in a folder of bounded size: what nobody has read for longest goes first.

Several processes may share the folder. An entry begins with the sha256 of its bytes, and is not believed
without it: a writer may have been killed, and a disk may forget. A fault of the disk costs the entry alone.
"""

import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from knoll.quantities import DISK, parse_quantity
from knoll.settings import Settings

__all__ = ["DiskCache", "open_cache"]

_DIGEST = hashlib.sha256().digest_size
_COUNT = "count"  # the file with the bytes of all entries, and the lock of whoever changes it
_LEFT = 3 / 4  # of the size, after the oldest entries went: that is rare, because it looks at all of them


class DiskCache:
    """Entries of `size` bytes in all, by name, in a folder that is there. Threads and processes may share
    it."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder, self._size = folder, size

    def find(self, name: str) -> bytes | None:
        """The bytes of an entry; None if there is none, or a spoilt one."""
        place = self._place(name)
        with suppress(OSError):
            found = memoryview(self._read(place))
            body = bytes(found[_DIGEST:])
            if hashlib.sha256(body).digest() == found[:_DIGEST]:
                os.utime(place)
                return body
            place.unlink()
        return None

    def _read(self, place: Path) -> bytes:
        """The bytes of a file; none of what is no entry: a link, a pipe, or more than an entry may have.
        Raises OSError."""
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            state = os.fstat(descriptor)
            is_entry = stat.S_ISREG(state.st_mode) and state.st_size <= self._size
            return file.read(state.st_size) if is_entry else b""

    def keep(self, name: str, body: bytes) -> None:
        """Make an entry of these bytes. An entry that would be most of the cache is not made."""
        place, size = self._place(name), _DIGEST + len(body)
        if size > self._size * (1 - _LEFT):
            return
        with suppress(OSError):
            self._count_in(size)
            place.parent.mkdir(mode=0o700, exist_ok=True)
            descriptor, draft = tempfile.mkstemp(dir=place.parent)
            with os.fdopen(descriptor, "wb") as file:
                file.write(hashlib.sha256(body).digest())
                file.write(body)
            Path(draft).replace(place)

    def _place(self, name: str) -> Path:
        digest = hashlib.sha256(name.encode()).hexdigest()
        return self._folder / digest[:2] / digest

    def _count_in(self, more: int) -> None:
        """Count bytes that will be written, and make room for them. After a writer was killed, the count is
        too high until the next time that entries are removed."""
        with self._locked_count() as file:
            told = file.read()
            taken = int(told) if told.isdigit() else self._remove_oldest(self._size)
            if taken + more > self._size:
                taken = self._remove_oldest(int(self._size * _LEFT) - more)
            file.seek(0)
            file.truncate()
            file.write(b"%d" % (taken + more))

    @contextmanager
    def _locked_count(self) -> Iterator[BinaryIO]:
        descriptor = os.open(self._folder / _COUNT, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file

    def _remove_oldest(self, most: int) -> int:
        """Remove entries, and drafts of killed writers, until so many bytes are left; returns how many
        are."""
        found = sorted(self._entries(), key=lambda one: one[1].st_mtime_ns)
        taken = sum(state.st_size for _, state in found)
        for place, state in found:
            if taken <= most:
                break
            with suppress(OSError):
                place.unlink()
            taken -= state.st_size
        return taken

    def _entries(self) -> Iterator[tuple[Path, os.stat_result]]:
        for folder in self._folder.glob("[0-9a-f][0-9a-f]"):
            for one in folder.iterdir():
                with suppress(OSError):  # another process has just removed it
                    yield one, one.stat()


@contextmanager
def open_cache(settings: Settings, resources: Mapping[str, Any]) -> Iterator[DiskCache | None]:
    """The cache of the settings, which takes half of the free disk at most, and half of what a Pod with these
    resources may use; in a folder of its own for this block, if they name none. None if it may take nothing,
    or if there is no such folder."""
    asked = resources.get(DISK)
    most = min(settings.cache_size, int(parse_quantity(asked)) // 2) if asked else settings.cache_size
    with tempfile.TemporaryDirectory(prefix="knoll-", ignore_cleanup_errors=True) as own:
        folder = settings.cache or Path(own)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            cache = DiskCache(folder, min(most, shutil.disk_usage(folder).free // 2))
        except OSError:
            cache = None
        yield cache if settings.cache_size else None
