"""The files below the paths that an upload names."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from knoll.data_files import why_skipped
from knoll.errors import KnollError, NotFound
from knoll.quantities import counted
from knoll.quoting import escaped

__all__ = ["find_files"]

_NAMED = 10


def find_files(paths: Sequence[Path]) -> tuple[list[tuple[Path, str]], list[tuple[str, str]]]:
    """Each file and its name under the prefix: its path relative to the given folder, or the name of the
    given file; and what is skipped, as pairs of a reason and a name.

    Raises NotFound for a missing path, and KnollError that names what cannot be read.
    """
    found: list[tuple[Path, str]] = []
    skipped: list[tuple[str, str]] = []
    unreadable: list[str] = []
    for path in paths:
        if not path.exists():
            raise NotFound(
                f"{path}: there is no such file or folder",
                fix="knoll upload MODEL PATH takes files and folders",
            )
        for one, name in _below(path, unreadable) if path.is_dir() else [(path, path.name)]:
            reason = (why_skipped(name) if path.is_dir() else None) or _why_no_file(one)
            if reason:
                skipped.append((reason, name))
            elif os.access(one, os.R_OK):
                found.append((one, name))
            else:
                unreadable.append(str(one))
    if unreadable:
        more = f" and {len(unreadable) - _NAMED} more" if len(unreadable) > _NAMED else ""
        raise KnollError(
            f"{counted(len(unreadable), 'file or folder')} cannot be read: "
            f"{', '.join(map(escaped, unreadable[:_NAMED]))}{more}",
            fix="let your user read them: chmod -R u+rX FOLDER",
        )
    return found, skipped


def _below(folder: Path, unreadable: list[str]) -> Iterator[tuple[Path, str]]:
    """All that lies below the folder but folders, sorted. Links to folders are not followed: they may lead
    back."""
    seen = []
    for place, folders, files in os.walk(folder, onerror=lambda error: unreadable.append(error.filename)):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        seen += [Path(place) / name for name in [*files, *links]]
    yield from ((one, one.relative_to(folder).as_posix()) for one in sorted(seen))


def _why_no_file(path: Path) -> str | None:
    if path.is_file():
        return None
    if path.is_symlink():
        return "a link to a folder" if path.is_dir() else "a link to nothing"
    return "not a file"
