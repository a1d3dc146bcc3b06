"""The manifest of an upload: the files that are sent, and what an earlier manifest lists of the objects that
stay.

Objects that stay and that no manifest lists are not made part of the dataset: nobody has said what they
should be.
"""

import hashlib
from collections.abc import Iterable, Sequence

from knoll.cli.upload_plan import Plan
from knoll.errors import InvalidData, NotFound
from knoll.ingest.manifest import ManifestEntry, dump_manifest, read_manifest
from knoll.models import Model
from knoll.ports import ObjectStore

__all__ = ["entries_that_stay", "manifest_of"]


def entries_that_stay(store: ObjectStore, model: Model, plan: Plan) -> Sequence[ManifestEntry]:
    """What the manifest in the bucket lists of the objects that the plan leaves there. Raises InvalidData
    when it is none."""
    if not plan.kept:
        return []
    try:
        entries = read_manifest(store.get(plan.marker))
    except NotFound:
        return []
    except InvalidData as error:
        raise InvalidData(
            f"{plan.marker} is wrong, so what it lists cannot stay: {error}",
            fix="knoll upload MODEL PATH --replace",
        ) from error
    return [one for one in entries if model.dataset.uri + one.path in plan.kept]


def manifest_of(model: Model, plan: Plan, stay: Iterable[ManifestEntry]) -> bytes:
    """The manifest of the plan's files, and of what stays."""
    entries = list(stay)
    for item in plan.items:
        with item.path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        entries.append(
            ManifestEntry(path=item.uri.removeprefix(model.dataset.uri), sha256=sha256, size=item.size)
        )
    return dump_manifest(sorted(entries, key=lambda one: one.path))
