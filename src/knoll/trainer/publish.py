"""Writing a model version: its number, its files, and last of all its manifest.

A number is claimed by a conditional write, so two runs never share one, and a run that is started again finds
its own. No file is ever overwritten: if an attempt before this one has left other bytes under the number,
that number is given up, and it never becomes a version, because it has no manifest.
"""

import mimetypes
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, count

from knoll.errors import AlreadyExists, NotFound
from knoll.names import join, version_name, version_number
from knoll.ports import ObjectStore
from knoll.records.claim import claim_uri, claims_uri
from knoll.records.manifest import Manifest, load_manifest, manifest_uri, version_uri

__all__ = ["Draft", "publish"]

Draft = Callable[
    [str], tuple[Mapping[str, bytes], Manifest]
]  # version -> its files by name, without the manifest, and the manifest


def publish(store: ObjectStore, root: str, model: str, run: str, draft: Draft) -> Manifest:
    """Write the version of that run, once; if it is there already, that one is returned.

    Raises StoreUnavailable when the store does not answer; another try goes on where this one stopped.
    """
    taken = [info.uri.removeprefix(claims_uri(root, model)) for info in store.list(claims_uri(root, model))]
    mine = [version for version in taken if store.get(claim_uri(root, model, version)) == run.encode()]
    for version in mine:
        published = _find(store, manifest_uri(root, model, version))
        if published is not None:
            return published
    for version in chain(mine, _new_claims(store, root, model, run, taken)):
        files, manifest = draft(version)
        folder = version_uri(root, model, version)
        if all(_put_once(store, join(folder, name), body) for name, body in files.items()):
            return _seal(store, manifest_uri(root, model, version), manifest)
    raise AssertionError("there is always another number")


def _new_claims(store: ObjectStore, root: str, model: str, run: str, taken: list[str]) -> Iterator[str]:
    """Numbers above those that are taken, each claimed for the run when it is asked for."""
    for number in count(1 + max(map(version_number, taken), default=0)):
        version = version_name(number)
        if _put_once(store, claim_uri(root, model, version), run.encode()):
            yield version


def _put_once(store: ObjectStore, uri: str, body: bytes) -> bool:
    """Whether the object now is `body`: written here, or found to be the same."""
    try:
        store.put(
            uri, body, if_absent=True, content_type=mimetypes.guess_type(uri)[0] or "application/octet-stream"
        )
    except AlreadyExists:
        return store.get(uri) == body
    return True


def _seal(store: ObjectStore, uri: str, manifest: Manifest) -> Manifest:
    try:
        store.put(uri, manifest.encode(), if_absent=True, content_type="application/json")
    except AlreadyExists:
        return load_manifest(store.get(uri))
    return manifest


def _find(store: ObjectStore, uri: str) -> Manifest | None:
    try:
        return load_manifest(store.get(uri))
    except NotFound:
        return None
