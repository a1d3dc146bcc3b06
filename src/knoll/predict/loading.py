"""A version, fetched and verified: nothing is loaded before every byte in its folder has matched the
manifest.

The folder is listed as well: a file that the manifest does not name is a fault, and so is a name that would
lead out of the folder.
"""

import json
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from knoll.errors import InvalidVersion
from knoll.names import split_uri
from knoll.ports import ObjectInfo
from knoll.predict.folder import Folder
from knoll.records.manifest import Manifest, entry_of, load_manifest, verify
from knoll.records.signature import Signature, load_signature

__all__ = ["Sample", "Version", "fetch_version", "read_version"]

_MANIFEST = "manifest.json"
_NAME = re.compile(
    r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*/)*[A-Za-z0-9_][A-Za-z0-9_.-]*\.(?:onnx|json|safetensors|png|md)"
)
_CONNECTIONS = 8
_EMPTY = entry_of(b"")


class Source(Protocol):
    """What verification needs of an object store."""

    def list(self, prefix: str) -> Iterable[ObjectInfo]:
        """See `ports.ObjectStore.list`."""

    def get(self, uri: str, *, etag: str = "") -> bytes:
        """See `ports.ObjectStore.get`."""


@dataclass(frozen=True)
class Sample:
    """A V1 instance and the prediction that the version gave for it when it was trained."""

    instance: Any
    prediction: Any


@dataclass(frozen=True)
class Version:
    """A verified version: what it is, how requests become tensors, its ONNX graph; `digest` is the sha256 of
    manifest.json in hex."""

    manifest: Manifest
    digest: str
    signature: Signature
    graph: bytes = field(repr=False)
    samples: tuple[Sample, ...] = field(repr=False)


def fetch_version(store: Source, uri: str, model: str) -> Version:
    """Fetch and verify the version of `model` in the folder `uri`, which ends with a slash.

    Raises InvalidVersion that lists every difference from the manifest, NotFound without a manifest,
    StoreUnavailable.
    """
    split_uri(uri)
    if not uri.endswith("/"):
        raise InvalidVersion(
            f"{uri} is no folder of a version", fix="end it with a slash: v000001 would also match v0000010"
        )
    body = store.get(uri + _MANIFEST)
    manifest = load_manifest(body)
    if not uri.endswith(f"/{manifest.model}/{manifest.version}/"):
        raise InvalidVersion(
            f"{uri} holds {manifest.model} {manifest.version}",
            fix="a version is never copied or renamed: train it again",
        )
    if manifest.model != model:
        raise InvalidVersion(f"{uri} is a version of {manifest.model}, not of {model}")
    return _verified(manifest, body, _fetch_files(store, uri, manifest))


def read_version(path: Path) -> Version:
    """Read and verify the version that somebody else has fetched into a folder, whose name says nothing.
    Raises as `fetch_version`.

    KServe's storage initializer leaves out objects of zero bytes; such a file is what its manifest says when
    it is not there.
    """
    folder = Folder(path)
    body = folder.get(folder.uri + _MANIFEST)
    manifest = load_manifest(body)
    left_out = {name: b"" for name, entry in manifest.files.items() if entry == _EMPTY}
    return _verified(manifest, body, {**left_out, **_fetch_files(folder, folder.uri, manifest)})


def _verified(manifest: Manifest, body: bytes, files: Mapping[str, bytes]) -> Version:
    verify(manifest, files)
    return _read(manifest, entry_of(body).sha256, files)


def _fetch_files(store: Source, uri: str, manifest: Manifest) -> Mapping[str, bytes]:
    """The files that the manifest names, and an empty one in place of each that it does not."""
    found = {info.uri.removeprefix(uri): info for info in store.list(uri)}
    found.pop(_MANIFEST, None)
    _check_names(manifest, found)

    def fetch(name: str) -> tuple[str, bytes]:
        return name, store.get(uri + name, etag=found[name].etag)

    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        fetched = dict(pool.map(fetch, [name for name in manifest.files if name in found]))
    return dict.fromkeys(found, b"") | fetched


def _check_names(manifest: Manifest, found: Mapping[str, ObjectInfo]) -> None:
    """Refuse what need not be fetched to be known as wrong: odd names, and files of another size."""
    faults = [
        f"{name!r} is no file of a version"
        for name in sorted({*manifest.files, *found})
        if not _NAME.fullmatch(name)
    ]
    faults += [
        f"{name} has {found[name].size} bytes, the manifest says {entry.size}"
        for name, entry in manifest.files.items()
        if name in found and found[name].size != entry.size
    ]
    if _MANIFEST in manifest.files:
        faults.append("the manifest names itself")
    if faults:
        raise InvalidVersion(
            f"{manifest.model} {manifest.version} is not what was trained: " + "; ".join(faults)
        )


def _read(manifest: Manifest, digest: str, files: Mapping[str, bytes]) -> Version:
    for name in ("model.onnx", "signature.json", "samples.json"):
        if name not in files:
            raise InvalidVersion(f"{manifest.model} {manifest.version} has no {name}")
    try:
        samples = tuple(
            Sample(one["instance"], one.get("prediction")) for one in json.loads(files["samples.json"])
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidVersion(f"samples.json is no list of instances and predictions: {error}") from error
    return Version(manifest, digest, load_signature(files["signature.json"]), files["model.onnx"], samples)
