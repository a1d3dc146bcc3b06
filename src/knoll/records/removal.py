"""The copy of a manifest while its version is removed, and the files of that version.

The copy lies apart from the version, so that the folder has nothing but the version's files.
"""

from collections.abc import Iterator
from contextlib import suppress

from knoll.errors import AlreadyExists, NewerSchema, NotFound, Rejected
from knoll.media_types import JSON
from knoll.ports import Bucket, ObjectInfo
from knoll.records.evidence import remove_reports
from knoll.records.labels import remove_labels
from knoll.records.manifest import (
    manifest_uri,
    models_uri,
    removed_manifest_uri,
    sealed_of,
    version_uri,
    versions_uri,
)
from knoll.records.recorded import remove_recorded

__all__ = ["list_files", "put_manifest_back", "remove_files", "take_manifest_away"]


def list_files(bucket: Bucket, model: str = "") -> Iterator[tuple[str, ObjectInfo]]:
    """The files of all versions of a model, or of all models: each with its key, such as
    digits/v000001/model.onnx, in the order of keys."""
    place = models_uri(bucket.root)
    for one in bucket.store.list(versions_uri(bucket.root, model) if model else place):
        yield one.uri.removeprefix(place), one


def take_manifest_away(model: str, version: str, bucket: Bucket) -> None:
    """Copy the manifest, then remove it, if there is one."""
    uri = manifest_uri(bucket.root, model, version)
    with suppress(NotFound):
        body = bucket.store.get(uri)
        bucket.store.put(removed_manifest_uri(bucket.root, model, version), body, content_type=JSON)
        bucket.store.delete(uri)


def put_manifest_back(model: str, version: str, bucket: Bucket) -> None:
    """Make the copy the manifest again, if there is a copy and no manifest; then remove the copy.
    What this knoll cannot read as the manifest of this version stays where it is."""
    copy = removed_manifest_uri(bucket.root, model, version)
    with suppress(NotFound, AlreadyExists):
        body = bucket.store.get(copy)
        try:
            sealed_of(body, model, version)
        except (Rejected, NewerSchema):
            return
        bucket.store.put(manifest_uri(bucket.root, model, version), body, if_absent=True, content_type=JSON)
    bucket.store.delete(copy)


def remove_files(model: str, version: str, bucket: Bucket) -> bool:
    """Remove all files of a version, the copy of its manifest, the reports on it and the requests to it,
    unless it has a manifest again; whether they are gone.

    The files go last. So if this is killed, they lead the next pass here again.
    """
    uris = [one.uri for one in bucket.store.list(version_uri(bucket.root, model, version))]
    if manifest_uri(bucket.root, model, version) in uris:
        return False
    remove_reports(model, version, bucket)
    remove_labels(model, version, bucket)
    remove_recorded(model, bucket, version)
    for uri in (removed_manifest_uri(bucket.root, model, version), *uris):
        bucket.store.delete(uri)
    return True
