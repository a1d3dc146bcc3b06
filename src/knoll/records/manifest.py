"""The model version: an immutable folder of files, and the manifest that makes it exist.

    models/<model>/v000007/
        model.safetensors   weights, with no code in them
        model.onnx          the graph that is served
        signature.json      how requests become tensors and tensors answers (see `knoll.records.signature`)
        samples.json        requests and their answers: warm-up before ready, replay during a canary
        README.md           model card
        *.png               pictures: confusion matrix, sample grids
        manifest.json       written last: size and sha256 of every other file, and the version's origin

A version is served only if every byte matches its manifest; a file that the manifest does not name is a
fault, too.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import GetPydanticSchema, with_config

from knoll.errors import InvalidVersion
from knoll.names import join
from knoll.ports import Bucket
from knoll.records.record import LENIENT, Fields, Numbers, Record, Texts, find, reader

__all__ = [
    "MANIFEST",
    "FileEntry",
    "Manifest",
    "entry_of",
    "find_manifest",
    "list_versions",
    "load_manifest",
    "manifest_uri",
    "models_uri",
    "removed_manifest_uri",
    "verify",
    "version_uri",
    "versions_uri",
]

MANIFEST = "manifest.json"


@with_config(LENIENT)
@dataclass(frozen=True)
class FileEntry:
    """Size in bytes and sha256 in hex of one file."""

    size: int
    sha256: str


_Files = Annotated[
    Mapping[str, FileEntry], GetPydanticSchema(lambda _, handler: handler(dict[str, FileEntry]))
]


@with_config(LENIENT)
@dataclass(frozen=True)
class Manifest(Record):
    """What a version is and where it comes from. `files` has names relative to the version's folder."""

    model: str
    version: str
    family: str
    run: str
    dataset_digest: str
    config: Fields
    metrics: Numbers
    created_at: str
    code_version: str
    files: _Files
    environment: Texts = field(default_factory=dict)


load_manifest = reader(Manifest, "manifest", file="manifest.json", fault=InvalidVersion)


def entry_of(body: bytes) -> FileEntry:
    """The manifest entry of a file's bytes."""
    return FileEntry(len(body), hashlib.sha256(body).hexdigest())


def verify(manifest: Manifest, files: Mapping[str, bytes]) -> None:
    """Compare files, by name without manifest.json, with their manifest. Raises InvalidVersion that lists
    every difference."""
    faults = [f"{name} is missing" for name in manifest.files if name not in files]
    faults += [f"{name} is not in the manifest" for name in files if name not in manifest.files]
    for name in sorted(set(files) & set(manifest.files)):
        found, wanted = entry_of(files[name]), manifest.files[name]
        if found != wanted:
            faults.append(
                f"{name} has sha256 {found.sha256[:12]}… and {found.size} bytes, "
                f"the manifest says {wanted.sha256[:12]}… and {wanted.size}"
            )
    if faults:
        raise InvalidVersion(
            f"{manifest.model} {manifest.version} is not what was trained: " + "; ".join(faults)
        )


def models_uri(root: str) -> str:
    """Where the versions of all models lie."""
    return join(root, "models", "")


def versions_uri(root: str, model: str) -> str:
    """Where all versions of a model lie."""
    return join(root, "models", model, "")


def version_uri(root: str, model: str, version: str) -> str:
    """Folder of a version. It ends with a slash: a bare prefix of v000001 would also match v0000010."""
    return join(root, "models", model, version, "")


def manifest_uri(root: str, model: str, version: str) -> str:
    """Where the manifest of a version lies: a version without one does not exist."""
    return join(root, "models", model, version, MANIFEST)


def removed_manifest_uri(root: str, model: str, version: str) -> str:
    """Where the copy of the manifest lies of a version that is being removed: apart from the version, which
    nobody loads with a stray file in it."""
    return join(root, "removing", model, f"{version}.json")


def find_manifest(model: str, version: str, bucket: Bucket) -> Manifest | None:
    """The manifest of a version; None when there is no such version.

    Raises InvalidVersion when it is none, or names another version.
    """
    manifest = find(manifest_uri(bucket.root, model, version), load_manifest, bucket)
    if manifest and (manifest.model, manifest.version) != (model, version):
        named = f"{manifest.model} {manifest.version}"
        raise InvalidVersion(f"the manifest of {model} {version} says that it is {named}")
    return manifest


def list_versions(model: str, bucket: Bucket, *, after: str = "") -> Iterator[str]:
    """The names of the folders that have a manifest, in the order of their keys; those that sort up to the
    version `after` are left out. A folder's name may be that of no version."""
    place = versions_uri(bucket.root, model)
    behind = version_uri(bucket.root, model, after) if after else ""
    for one in bucket.store.list(place, after=behind):
        name, _, file = one.uri.removeprefix(place).partition("/")
        if file == MANIFEST:
            yield name
