"""The plan of an upload: files, their places under the dataset's prefix, and objects to delete.

All files are checked before the first is sent: half an upload is worse than none.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from knoll.errors import InvalidData, KnollError, NotFound
from knoll.models import Model
from knoll.names import join
from knoll.ports import ObjectInfo

__all__ = ["Item", "Plan", "plan_upload"]


@dataclass(frozen=True)
class Item:
    """One file, where it goes, and its size in bytes."""

    path: Path
    uri: str
    size: int


@dataclass(frozen=True)
class Plan:
    """The files to send, the marker or manifest to write last ("" for none), the URIs to delete, and the URIs
    that stay."""

    items: tuple[Item, ...]
    marker: str
    stale: tuple[str, ...]
    kept: frozenset[str] = frozenset()

    @property
    def total(self) -> int:
        """Bytes to send."""
        return sum(item.size for item in self.items)


def plan_upload(model: Model, paths: Sequence[Path], listing: Iterable[ObjectInfo], *, replace: bool) -> Plan:
    """Decide what is sent. Raises InvalidData if there is nothing to send or two files have one place, and
    NotFound for a missing path."""
    marker = join(model.dataset.uri, model.dataset.landed.last) if model.dataset.landed.last else ""
    items = [Item(path, join(model.dataset.uri, name), _size(path)) for path, name in _files(paths)]
    items = [item for item in items if item.uri != marker]
    if not items:
        raise InvalidData(
            f"{', '.join(map(str, paths))}: there is no file to upload (hidden files are skipped)",
            fix="name a folder with data",
        )
    twice = [uri for uri, count in Counter(item.uri for item in items).items() if count > 1]
    if twice:
        raise InvalidData(
            f"{twice[0]}: two of the files have this place",
            fix="upload one folder that holds both, under different names",
        )
    written = {item.uri for item in items} | {marker}
    others = [one.uri for one in listing if one.uri not in written]
    return Plan(tuple(items), marker, *((tuple(others), frozenset()) if replace else ((), frozenset(others))))


def _files(paths: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Each visible file and its name under the prefix: its path relative to the given folder, or the name of
    the given file."""
    for path in paths:
        if path.is_dir():
            found = [(one, one.relative_to(path)) for one in sorted(path.rglob("*")) if one.is_file()]
            yield from (
                (one, name.as_posix())
                for one, name in found
                if not any(part.startswith(".") for part in name.parts)
            )
        elif path.exists():
            yield path, path.name
        else:
            raise NotFound(
                f"{path}: there is no such file or folder",
                fix="knoll upload MODEL PATH takes files and folders",
            )


def _size(path: Path) -> int:
    if not os.access(path, os.R_OK):
        raise KnollError(f"{path}: it cannot be read", fix=f"chmod u+r {path}")
    return path.stat().st_size
