"""A version, fetched and verified: nothing is loaded before every byte has matched the manifest.

A name that leads out of the folder is a fault. A file that the manifest does not name is a stray, and is not
fetched.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from knoll.errors import InvalidVersion, NotFound
from knoll.names import split_uri
from knoll.ports import ObjectInfo
from knoll.predict.folder import Folder
from knoll.records.attestation import check_signature
from knoll.records.manifest import (
    ATTESTATION,
    GRAPH,
    MANIFEST,
    SEALS,
    Manifest,
    check_pin,
    entry_of,
    load_manifest,
    not_as_trained,
    verify,
)
from knoll.records.samples import SAMPLES, Sample, load_samples
from knoll.records.signature import SIGNATURE, Signature, load_signature

__all__ = ["Version", "fetch_version", "read_version"]

_NAME = re.compile(
    r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*/)*[A-Za-z0-9_][A-Za-z0-9_.-]*\.(?:onnx|json|safetensors|png|md)"
)
_CONNECTIONS = 8
_EMPTY = entry_of(b"")


class Source(Protocol):
    """The part of an object store that verification needs."""

    def list(self, prefix: str) -> Iterable[ObjectInfo]:
        """See `ports.ObjectStore.list`."""

    def get(self, uri: str, *, etag: str = "") -> bytes:
        """See `ports.ObjectStore.get`."""


@dataclass(frozen=True)
class Version:
    """A verified version. `graph` is its ONNX model, `digest` the sha256 of manifest.json in hex."""

    manifest: Manifest
    digest: str
    signature: Signature
    graph: bytes = field(repr=False)
    samples: Sequence[Sample] = field(repr=False)


def fetch_version(store: Source, uri: str, model: str, pin: str = "", keys: str = "") -> Version:
    """Fetch and verify the version of `model` in the folder `uri`, which ends with a slash. `pin` is the
    sha256 that its manifest must have; "" if it was made before versions were pinned. One of the public
    `keys` must have signed it, unless there are none.

    Raises InvalidVersion that lists every difference from the manifest, NotFound without a manifest,
    StoreUnavailable.
    """
    split_uri(uri)
    if not uri.endswith("/"):
        raise InvalidVersion(
            f"{uri} is no folder of a version", fix="end it with a slash: v000001 would also match v0000010"
        )
    body = store.get(uri + MANIFEST)
    check_pin(model, uri.rstrip("/").rpartition("/")[2], entry_of(body).sha256, pin)
    manifest = load_manifest(body)
    if not uri.endswith(f"/{manifest.model}/{manifest.version}/"):
        raise InvalidVersion(
            f"{uri} holds {manifest.model} {manifest.version}",
            fix="do not copy or rename versions; train the model again",
        )
    if manifest.model != model:
        raise InvalidVersion(f"{uri} is a version of {manifest.model}, not of {model}")
    _check_signature(store, uri, manifest, body, keys)
    return _verified(manifest, body, _fetch_files(store, uri, manifest))


def read_version(path: Path, pin: str = "", keys: str = "") -> Version:
    """Read and verify a version in a local folder of any name. Raises as `fetch_version`.

    KServe's storage initializer leaves out objects of zero bytes, so an empty file may be missing.
    """
    folder = Folder(path)
    body = folder.get(folder.uri + MANIFEST)
    manifest = load_manifest(body)
    check_pin(manifest.model, manifest.version, entry_of(body).sha256, pin)
    _check_signature(folder, folder.uri, manifest, body, keys)
    left_out = {name: b"" for name, entry in manifest.files.items() if entry == _EMPTY}
    return _verified(manifest, body, {**left_out, **_fetch_files(folder, folder.uri, manifest)})


def _check_signature(store: Source, uri: str, manifest: Manifest, body: bytes, keys: str) -> None:
    if not keys:
        return
    seal = None
    with suppress(NotFound):
        seal = store.get(uri + ATTESTATION)
    check_signature(manifest.model, manifest.version, entry_of(body).sha256, seal, keys)


def _verified(manifest: Manifest, body: bytes, files: Mapping[str, bytes]) -> Version:
    verify(manifest, files)
    return _read(manifest, entry_of(body).sha256, files)


def _fetch_files(store: Source, uri: str, manifest: Manifest) -> Mapping[str, bytes]:
    """The files that the manifest names, as far as they are there."""
    listed = {info.uri.removeprefix(uri): info for info in store.list(uri)}
    found = {name: info for name, info in listed.items() if name in manifest.files}
    _check_names(manifest, found)

    def fetch(name: str) -> tuple[str, bytes]:
        return name, store.get(uri + name, etag=found[name].etag)

    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        return dict(pool.map(fetch, found))


def _check_names(manifest: Manifest, found: Mapping[str, ObjectInfo]) -> None:
    """Refuse odd names, and files of another size, before anything is fetched."""
    faults = [
        f"{name!r} is no file of a version" for name in sorted(manifest.files) if not _NAME.fullmatch(name)
    ]
    faults += [
        f"{name} has {found[name].size} bytes, the manifest says {entry.size}"
        for name, entry in manifest.files.items()
        if name in found and found[name].size != entry.size
    ]
    faults += [f"the manifest names {name}" for name in SEALS if name in manifest.files]
    if faults:
        raise not_as_trained(manifest, faults)


def _read(manifest: Manifest, digest: str, files: Mapping[str, bytes]) -> Version:
    for name in (GRAPH, SIGNATURE, SAMPLES):
        if name not in files:
            raise InvalidVersion(f"{manifest.model} {manifest.version} has no {name}")
    signature, samples = load_signature(files[SIGNATURE]), load_samples(files[SAMPLES]).samples
    return Version(manifest, digest, signature, files[GRAPH], samples)
