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
    unnamed: list[str] = []
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
            elif not _is_utf8(name):
                unnamed.append(name)
            elif os.access(one, os.R_OK):
                found.append((one, name))
            else:
                unreadable.append(str(one))
    if unreadable:
        raise KnollError(
            f"{counted(len(unreadable), 'file or folder')} cannot be read: {_first(unreadable)}",
            fix="let your user read them: chmod -R u+rX FOLDER",
        )
    if unnamed:
        raise KnollError(
            f"the names of {counted(len(unnamed), 'file')} are not UTF-8, as those of objects must be: "
            f"{_first(unnamed)}",
            fix="rename them, for example with convmv -f latin1 -t utf8 -r FOLDER",
        )
    return found, skipped


def _below(folder: Path, unreadable: list[str]) -> Iterator[tuple[Path, str]]:
    """Everything below the folder except folders, sorted. Links to folders are not followed: they may lead
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


def _is_utf8(name: str) -> bool:
    """Python reads other bytes of a name as halves of surrogate pairs."""
    return not any("\ud800" <= one <= "\udfff" for one in name)


def _first(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(map(escaped, names[:_NAMED])) + more
