"""The plan of an upload: files, their places under the dataset's prefix, and objects to delete.

All files are checked before the first is sent: half an upload is worse than none.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from knoll.cli.upload_files import find_files
from knoll.data_files import Skipped, skipped_words, tally
from knoll.errors import InvalidData
from knoll.models import Model
from knoll.names import join
from knoll.ports import ObjectInfo

__all__ = ["UploadFile", "UploadPlan", "plan_upload"]


@dataclass(frozen=True)
class UploadFile:
    """One file, where it goes, and its size in bytes. `etag` is that of the object of this size in its
    place, "" if there is none."""

    path: Path
    uri: str
    size: int
    etag: str = ""


@dataclass(frozen=True)
class UploadPlan:
    """The files to send, the marker or manifest to write last ("" for none), the URIs to delete, the URIs
    that stay, and what is skipped of the files."""

    items: tuple[UploadFile, ...]
    marker: str
    stale: tuple[str, ...]
    kept: frozenset[str] = frozenset()
    skipped: tuple[Skipped, ...] = ()

    @property
    def total(self) -> int:
        """Bytes to send."""
        return sum(item.size for item in self.items)


def plan_upload(
    model: Model, paths: Sequence[Path], listing: Iterable[ObjectInfo], *, replace: bool
) -> UploadPlan:
    """Decide what is sent. Raises InvalidData if there is nothing to send or two files have one place,
    NotFound for a missing path, and KnollError if a file cannot be read."""
    marker = join(model.dataset.uri, model.dataset.landed.last) if model.dataset.landed.last else ""
    there = {one.uri: one for one in listing}
    found, skipped = find_files(paths)
    last, items = model.dataset.landed.last, []
    own = f"{model.dataset.landed.when} of this Model, which knoll writes itself"
    skipped = [(own if name == last else reason, name) for reason, name in skipped]
    skipped += [(own, name) for _, name in found if name == last]
    for path, name in found:
        uri, size = join(model.dataset.uri, name), path.stat().st_size
        etag = there[uri].etag if uri in there and there[uri].size == size else ""
        items.append(UploadFile(path, uri, size, etag))
    items = [item for item in items if item.uri != marker]
    if not items:
        told = "; ".join(skipped_words(tally(skipped))) or "nothing lies there"
        raise InvalidData(
            f"{', '.join(map(str, paths))}: there is no file to upload: {told}",
            fix="name a folder with data",
        )
    twice = [uri for uri, count in Counter(item.uri for item in items).items() if count > 1]
    if twice:
        raise InvalidData(
            f"{twice[0]}: two of the files have this place",
            fix="upload one folder that holds both, under different names",
        )
    others = [uri for uri in there if uri not in {marker, *(item.uri for item in items)}]
    stale, kept = (tuple(others), frozenset[str]()) if replace else ((), frozenset(others))
    return UploadPlan(tuple(items), marker, stale, kept, tally(skipped))
