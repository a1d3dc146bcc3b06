"""The folders of versions as a listing shows them, whole versions and what killed runs have left alike."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from knoll.errors import Rejected
from knoll.names import version_number
from knoll.ports import ObjectInfo, Platform
from knoll.records.manifest import models_uri, versions_uri

__all__ = ["Folder", "folders_of", "read_folders"]

_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Folder:
    """The files of one version number: how many, their bytes in all, when the newest was written; a version
    only if it has a manifest."""

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


def read_folders(platform: Platform, models: Iterable[str] = ()) -> list[Folder]:
    """The folders of these models, or of all that the bucket has, Models or not."""
    root = platform.settings.model_root
    places = [versions_uri(root, model) for model in models] or [models_uri(root)]
    return [folder for place in places for folder in folders_of(platform.store.list(place), models_uri(root))]


def folders_of(listing: Iterable[ObjectInfo], place: str) -> Iterator[Folder]:
    """The folders in a listing in the order of keys. What is not named as a version is somebody else's, and
    left alone."""
    for (model, version), found in groupby(listing, lambda one: _folder_of(one.uri.removeprefix(place))):
        if version:
            files = list(found)
            names = {
                one.uri.rpartition("/")[2]
                for one in files
                if one.uri == f"{place}{model}/{version}/{_MANIFEST}"
            }
            newest = max(one.modified for one in files)
            yield Folder(model, version, len(files), sum(one.size for one in files), newest, bool(names))


def _folder_of(key: str) -> tuple[str, str]:
    """ "digits/v000001/model.onnx" -> ("digits", "v000001"); no version for any other form."""
    model, version, rest = (*key.split("/", 2), "", "")[:3]
    try:
        version_number(version)
    except Rejected:
        return model, ""
    return (model, version) if rest else (model, "")
