"""A version in a local folder, where KServe's storage initializer has put it, with the two methods of a store
that verification needs.

The initializer checks no digest. A link could lead anywhere, so a folder with a link is refused.
"""

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from knoll.errors import InvalidVersion, NotFound, StoreUnavailable
from knoll.ports import ObjectInfo

__all__ = ["Folder"]


class Folder:
    """The files under `path`, as objects whose URIs start with `uri`."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        self.uri = self._path.as_uri() + "/"

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Every file; `prefix` must be `uri`. Raises InvalidVersion for a link or device,
        StoreUnavailable."""
        assert prefix == self.uri
        for parent, folders, files in os.walk(self._path, onerror=_fail):
            for path in (Path(parent, name) for name in sorted(folders + files)):
                name, found = path.relative_to(self._path).as_posix(), path.lstat()
                if stat.S_ISREG(found.st_mode):
                    yield ObjectInfo(
                        self.uri + name, "", found.st_size, datetime.fromtimestamp(found.st_mtime, UTC)
                    )
                elif not stat.S_ISDIR(found.st_mode):
                    raise InvalidVersion(f"{name!r} is a link or a device; a version has only files")

    def get(self, uri: str, *, etag: str = "", part: range | None = None) -> bytes:  # noqa: ARG002
        """The bytes of a file, or those in `part`. Raises NotFound, StoreUnavailable."""
        path = self._path / uri.removeprefix(self.uri)
        try:
            with path.open("rb") as file:
                file.seek(part.start if part else 0)
                return file.read(len(part) if part else -1)
        except FileNotFoundError as error:
            raise NotFound(
                f"{path} does not exist", fix="storageUri is the folder of one version, with its last slash"
            ) from error
        except OSError as error:
            _fail(error)


def _fail(error: OSError) -> NoReturn:
    raise StoreUnavailable(f"the model folder cannot be read: {error.strerror}") from error
