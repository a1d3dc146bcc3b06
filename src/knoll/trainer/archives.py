"""Zip archives in a dataset, which are read as folders. With the gate `object`, one archive is one dataset.

Members stay in memory and are never written to disk, so their names cannot do harm. Sizes in a header are not
trusted: reading stops at the limits, so that a small archive cannot fill the machine.
"""

import io
import zipfile
import zlib
from collections.abc import Iterator

from knoll.errors import InvalidData
from knoll.families.base import Files

__all__ = ["unpack_archives"]

_MOST_BYTES = 4 * 2**30
_MOST_MEMBERS = 1_000_000


def unpack_archives(files: Files) -> Files:
    """The files, with the members of each .zip in its place, as `<archive>/<member>`.

    Raises InvalidData that names the archive if it is broken or too large.
    """
    found: dict[str, bytes] = {}
    for key, body in files.items():
        if not key.lower().endswith(".zip"):
            found[key] = body
            continue
        for name, member in _members(key, body, _MOST_BYTES - sum(map(len, found.values()))):
            found[f"{key}/{name}"] = member
    return found


def _members(key: str, body: bytes, room: int) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(entries) > _MOST_MEMBERS:
                raise InvalidData(f"{key} has {len(entries)} members; at most {_MOST_MEMBERS} are read")
            for entry in entries:
                with archive.open(entry) as member:
                    content = member.read(room + 1)
                room -= len(content)
                if room < 0:
                    raise InvalidData(f"{key} unpacks to more than {_MOST_BYTES} bytes, the limit")
                yield entry.filename, content
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise InvalidData(
            f"{key} is not a whole zip archive: {error}", fix="create it again, without a password"
        ) from error
