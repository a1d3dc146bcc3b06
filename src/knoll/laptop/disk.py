"""Whether the disk below a folder has room for the platform."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from knoll.errors import Unavailable

__all__ = ["Space", "check_room", "space_at", "why_full"]

_LEAST = 64 * 2**20  # bytes: SQLite, logs, and the records of a few trainings
_RESERVE = 100  # SeaweedFS takes no writes when less than one hundredth of the disk is free
_FIX = "make room on that disk, or choose another --home; the platform goes on by itself once there is room"


@dataclass(frozen=True)
class Space:
    """The disk of a folder, in bytes: how much is free, and how much the platform needs to be free."""

    folder: Path
    free: int
    needed: int


def space_at(folder: Path, *, has_store: bool = True) -> Space:
    """The disk of a folder, or of the nearest folder above it that exists. `has_store` says whether the S3
    server lies there, too."""
    there = next(one for one in (folder, *folder.parents) if one.exists())
    disk = shutil.disk_usage(there)
    return Space(folder, disk.free, _LEAST + (disk.total // _RESERVE if has_store else 0))


def why_full(space: Space) -> str:
    """Why the platform cannot work there; "" if there is room."""
    if space.free >= space.needed:
        return ""
    return f"the disk of {space.folder} is full: {space.free:,} bytes are free, knoll needs {space.needed:,}"


def check_room(folder: Path, *, has_store: bool = True) -> None:
    """Raise Unavailable if the disk is full."""
    if fault := why_full(space_at(folder, has_store=has_store)):
        raise Unavailable(fault, fix=_FIX.partition(";")[0])
