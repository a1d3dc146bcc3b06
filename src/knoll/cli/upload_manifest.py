"""The manifest of an upload: the files that are sent, and entries of the earlier manifest for objects that
stay.

An object that stays and that no manifest lists does not become part of the dataset: its sha256 is unknown.
"""

import hashlib
from collections.abc import Iterable, Sequence

from knoll.cli.upload_plan import UploadPlan
from knoll.errors import InvalidData, NotFound
from knoll.ingest.manifest import ManifestEntry, dump_manifest, read_manifest
from knoll.models import Model
from knoll.ports import ObjectStore

__all__ = ["entries_that_stay", "manifest_of"]


def entries_that_stay(store: ObjectStore, model: Model, plan: UploadPlan) -> Sequence[ManifestEntry]:
    """The entries of the manifest in the bucket for objects that the plan leaves there. Raises InvalidData if
    it is no manifest."""
    if not plan.kept:
        return []
    try:
        entries = read_manifest(store.get(plan.marker))
    except NotFound:
        return []
    except InvalidData as error:
        raise InvalidData(
            f"{plan.marker} is no manifest, so the objects that it lists cannot stay: {error}",
            fix="knoll upload MODEL PATH --replace",
        ) from error
    return [one for one in entries if model.dataset.uri + one.path in plan.kept]


def manifest_of(model: Model, plan: UploadPlan, stay: Iterable[ManifestEntry]) -> bytes:
    """The manifest of the plan's files and of the objects that stay."""
    entries = list(stay)
    for item in plan.items:
        with item.path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        entries.append(
            ManifestEntry(path=item.uri.removeprefix(model.dataset.uri), sha256=sha256, size=item.size)
        )
    return dump_manifest(sorted(entries, key=lambda one: one.path))
