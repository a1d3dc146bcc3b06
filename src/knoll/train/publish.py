"""Writing a model version: its number, its files, and last of all its manifest.

A number is claimed by a conditional write, so two runs never share one, and a run that is started again finds its own. No file is ever
overwritten: if an attempt before this one has left other bytes under the number, that number is given up, and it never becomes a version,
because it has no manifest.
"""

import mimetypes
from collections.abc import Callable, Iterator, Mapping

from knoll.errors import AlreadyExists, NotFound
from knoll.names import claim_uri, claims_uri, join, manifest_uri, version_name, version_number, version_uri
from knoll.ports import ObjectStore
from knoll.versions import Manifest, dump_manifest, load_manifest

__all__ = ["Draft", "publish"]

Draft = Callable[[str], tuple[Mapping[str, bytes], Manifest]]  # version -> its files by name, without the manifest, and the manifest


def publish(store: ObjectStore, root: str, model: str, run: str, draft: Draft) -> Manifest:
    """Write the version of that run, once; if it is there already, that one is returned.

    Raises StoreUnavailable when the store does not answer; another try goes on where this one stopped.
    """
    for version in _claims(store, root, model, run):
        published = _find(store, manifest_uri(root, model, version))
        if published is not None:
            return published
        files, manifest = draft(version)
        folder = version_uri(root, model, version)
        if all(_put_once(store, join(folder, name), body) for name, body in files.items()):
            return _seal(store, manifest_uri(root, model, version), manifest)
    raise AssertionError("there is always another number")


def _claims(store: ObjectStore, root: str, model: str, run: str) -> Iterator[str]:
    """The numbers that the run has claimed, lowest first, and then new ones, each claimed as it is asked for."""
    prefix = claims_uri(root, model)
    taken = [info.uri.removeprefix(prefix) for info in store.list(prefix)]
    for version in taken:
        if store.get(claim_uri(root, model, version)) == run.encode():
            yield version
    number = max(map(version_number, taken), default=0)
    while True:
        number += 1
        version = version_name(number)
        if _put_once(store, claim_uri(root, model, version), run.encode()):
            yield version


def _put_once(store: ObjectStore, uri: str, body: bytes) -> bool:
    """Whether the object now is `body`: written here, or found to be the same."""
    try:
        store.put(uri, body, if_absent=True, content_type=mimetypes.guess_type(uri)[0] or "application/octet-stream")
    except AlreadyExists:
        return store.get(uri) == body
    return True


def _seal(store: ObjectStore, uri: str, manifest: Manifest) -> Manifest:
    try:
        store.put(uri, dump_manifest(manifest), if_absent=True, content_type="application/json")
    except AlreadyExists:
        return load_manifest(store.get(uri))
    return manifest


def _find(store: ObjectStore, uri: str) -> Manifest | None:
    try:
        return load_manifest(store.get(uri))
    except NotFound:
        return None
