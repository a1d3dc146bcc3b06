"""The folders of versions as a listing shows them: whole versions, and files that killed runs left."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from knoll.names import MODEL_NAME, VERSION_NAME, version_number
from knoll.ports import ObjectInfo, Platform
from knoll.records.manifest import MANIFEST
from knoll.records.removal import list_files

__all__ = ["VersionFiles", "folders_of", "read_folders"]


@dataclass(frozen=True)
class VersionFiles:
    """The files under one version number: how many, their bytes in all, and when the newest was written. They
    are a version only if there is a manifest."""

    model: str
    version: str
    files: int
    size: int
    newest: datetime
    is_version: bool

    @property
    def number(self) -> int:
        """7 for v000007."""
        return version_number(self.version)


def read_folders(platform: Platform, models: Iterable[str] = ()) -> list[VersionFiles]:
    """The folders of these models, or of all that the bucket has, with or without a Model."""
    return [one for model in models or [""] for one in folders_of(list_files(platform.bucket, model))]


def folders_of(listing: Iterable[tuple[str, ObjectInfo]]) -> Iterator[VersionFiles]:
    """The folders in a listing of keys, which must be in order. A folder that is not named as a version is
    passed over: it is not knoll's."""
    for (model, version), found in groupby(listing, lambda one: _folder_of(one[0])):
        if version:
            files = dict(found)
            yield VersionFiles(
                model,
                version,
                len(files),
                sum(one.size for one in files.values()),
                max(one.modified for one in files.values()),
                f"{model}/{version}/{MANIFEST}" in files,
            )


def _folder_of(key: str) -> tuple[str, str]:
    """ "digits/v000001/model.onnx" -> ("digits", "v000001"); no version for any other form."""
    model, version, rest = (*key.split("/", 2), "", "")[:3]
    is_known = MODEL_NAME.fullmatch(model) and VERSION_NAME.fullmatch(version)
    return (model, version) if is_known and rest else (model, "")
