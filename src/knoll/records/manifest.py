"""The model version: an immutable folder of files, and the manifest that makes it exist.

    models/<model>/v000007/
        model.safetensors   weights, with no code in them
        model.onnx          the graph that is served
        signature.json      how requests become tensors and tensors answers (see `knoll.records.signature`)
        tokenizer.json      how texts become tokens (see `knoll.codecs.text`)
        samples.json        requests and their answers: warm-up before ready, replay during a canary
        README.md           model card
        *.png               pictures: confusion matrix, sample grids, curves
        compression.json    the graphs that were tried as model.onnx (see `knoll.records.compression`)
        curves.json         losses, metrics and learning rates over the training (see `knoll.records.curves`)
        attestation.json    who has signed the manifest (see `knoll.records.attestation`)
        manifest.json       written last: size and sha256 of every file above, and the version's origin

A version is served only if every byte matches its manifest.
"""

import hashlib
import mimetypes
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import GetPydanticSchema, with_config

from knoll.errors import AlreadyExists, InvalidVersion
from knoll.media_types import ANY_BYTES
from knoll.names import VERSION_NAME, join
from knoll.ports import Bucket
from knoll.records.champion_score import ChampionScore, Slices
from knoll.records.golden import GoldenScore
from knoll.records.record import LENIENT, Fields, Numbers, Record, Texts, find, put_once, reader

__all__ = [
    "ATTESTATION",
    "CARD",
    "GRAPH",
    "MANIFEST",
    "SEALS",
    "WEIGHTS",
    "FileEntries",
    "FileEntry",
    "Manifest",
    "Sealed",
    "entry_of",
    "extra_files",
    "find_manifest",
    "find_sealed",
    "list_versions",
    "load_manifest",
    "manifest_uri",
    "missing_files",
    "models_uri",
    "not_as_trained",
    "read_file",
    "removed_manifest_uri",
    "sealed_of",
    "verify",
    "version_uri",
    "versions_uri",
    "write_file",
    "write_manifest",
]

MANIFEST = "manifest.json"
ATTESTATION = "attestation.json"
SEALS = (MANIFEST, ATTESTATION)  # files of a version that its manifest does not name
GRAPH, WEIGHTS, CARD = "model.onnx", "model.safetensors", "README.md"


@with_config(LENIENT)
@dataclass(frozen=True)
class FileEntry:
    """Size in bytes and sha256 in hex of one file."""

    size: int
    sha256: str


FileEntries = Annotated[
    Mapping[str, FileEntry], GetPydanticSchema(lambda _, handler: handler(dict[str, FileEntry]))
]


@with_config(LENIENT)
@dataclass(frozen=True)
class Manifest(Record):
    """A version and its origin. `files` has names in its folder. `metrics` are of the held-out examples, and
    `slices` of parts of them; of the same ones `champion` has the champion's and `baseline` a naive answer's,
    and `golden` those of the golden set. `parity` is how far its graph was off; requests may share runs."""

    model: str
    version: str
    family: str
    run: str
    dataset_digest: str
    config: Fields
    metrics: Numbers
    created_at: str
    code_version: str
    files: FileEntries
    environment: Texts = field(default_factory=dict)
    golden: GoldenScore | None = None
    slices: Slices = field(default_factory=dict)
    champion: ChampionScore | None = None
    parity: Numbers = field(default_factory=dict)
    baseline: Numbers = field(default_factory=dict)
    shares_runs: bool = False


load_manifest = reader(Manifest, "manifest", file="manifest.json", fault=InvalidVersion)


@dataclass(frozen=True)
class Sealed:
    """A manifest, and the sha256 in hex of its bytes as they are stored: the pin of the version."""

    manifest: Manifest
    sha256: str


def entry_of(body: bytes) -> FileEntry:
    """The manifest entry of a file's bytes."""
    return FileEntry(len(body), hashlib.sha256(body).hexdigest())


def not_as_trained(manifest: Manifest, faults: Iterable[str]) -> InvalidVersion:
    """The error for files that differ from the manifest."""
    return InvalidVersion(
        f"{manifest.model} {manifest.version} is not what was trained: " + "; ".join(faults)
    )


def missing_files(manifest: Manifest, names: Collection[str]) -> list[str]:
    """A fault for each file of the manifest that is not among the names in the folder."""
    return [f"{name} is missing" for name in manifest.files if name not in names]


def extra_files(manifest: Manifest, names: Iterable[str]) -> list[str]:
    """The names in the folder of a version that its manifest does not name: strays, which nothing reads."""
    return sorted({*names} - {*manifest.files, *SEALS})


def verify(manifest: Manifest, files: Mapping[str, bytes]) -> None:
    """Compare files, by name and without SEALS, with the manifest. Others are passed over. Raises
    InvalidVersion, which lists every difference."""
    faults = missing_files(manifest, files)
    for name in sorted(set(files) & set(manifest.files)):
        found, wanted = entry_of(files[name]), manifest.files[name]
        if found != wanted:
            faults.append(
                f"{name} has sha256 {found.sha256[:12]}… and {found.size} bytes, "
                f"the manifest says {wanted.sha256[:12]}… and {wanted.size}"
            )
    if faults:
        raise not_as_trained(manifest, faults)


def models_uri(root: str) -> str:
    """The folder of all models' versions."""
    return join(root, "models", "")


def versions_uri(root: str, model: str) -> str:
    """The folder of a model's versions."""
    return join(root, "models", model, "")


def version_uri(root: str, model: str, version: str) -> str:
    """Folder of a version. It ends with a slash: a bare prefix of v000001 would also match v0000010."""
    return join(root, "models", model, version, "")


def manifest_uri(root: str, model: str, version: str) -> str:
    """URI of the manifest of a version. A version without a manifest does not exist."""
    return join(root, "models", model, version, MANIFEST)


def removed_manifest_uri(root: str, model: str, version: str) -> str:
    """URI of the copy of a manifest while its version is removed, outside of the version's folder."""
    return join(root, "removing", model, f"{version}.json")


def find_sealed(model: str, version: str, bucket: Bucket) -> Sealed | None:
    """The manifest of a version with its sha256; None if there is no such version.

    Raises InvalidVersion if it cannot be read, or if it names another version.
    """
    uri = manifest_uri(bucket.root, model, version)
    return find(uri, lambda body: sealed_of(body, model, version), bucket)


def sealed_of(body: bytes, model: str, version: str, pin: str = "", *, any_name: bool = False) -> Sealed:
    """The manifest of a version by its bytes, whose sha256 must be `pin`; "" is no pin. It must name the
    version, unless it may have `any_name`. Raises InvalidVersion and NewerSchema."""
    sha256 = entry_of(body).sha256
    if pin and sha256 != pin:
        raise InvalidVersion(
            f"{model} {version} is not what was trained: manifest.json has sha256 {sha256[:12]}…, and "
            f"{pin[:12]}… is pinned",
            fix=f"knoll verify {model} {version} says what differs; put its files back, or train again",
        )
    found = load_manifest(body)
    if not any_name and (found.model, found.version) != (model, version):
        raise InvalidVersion(
            f"the manifest of {model} {version} says that it is {found.model} {found.version}",
            fix="do not copy or rename versions; train the model again",
        )
    return Sealed(found, sha256)


def find_manifest(model: str, version: str, bucket: Bucket) -> Manifest | None:
    """The manifest of a version; None if there is no such version. Raises as `find_sealed`."""
    sealed = find_sealed(model, version, bucket)
    return sealed.manifest if sealed else None


def write_file(model: str, version: str, name: str, body: bytes, bucket: Bucket) -> bool:
    """Write one file of a version if it is not there. False if it is there with other bytes."""
    uri = join(version_uri(bucket.root, model, version), name)
    try:
        bucket.store.put(uri, body, if_absent=True, content_type=mimetypes.guess_type(name)[0] or ANY_BYTES)
    except AlreadyExists:
        return bucket.store.get(uri) == body
    return True


def write_manifest(manifest: Manifest, bucket: Bucket) -> Sealed:
    """Write the manifest, after all other files, if the version has none; returns the one that it has."""
    uri = manifest_uri(bucket.root, manifest.model, manifest.version)
    mine = Sealed(manifest, entry_of(manifest.encode()).sha256)
    if put_once(uri, manifest, bucket):
        return mine
    return find_sealed(manifest.model, manifest.version, bucket) or mine


def list_versions(model: str, bucket: Bucket, *, after: str = "") -> Iterator[str]:
    """The versions with a manifest, in the order of keys, behind `after`; other folders are passed over."""
    place = versions_uri(bucket.root, model)
    behind = version_uri(bucket.root, model, after) if after else ""
    for one in bucket.store.list(place, after=behind):
        name, _, file = one.uri.removeprefix(place).partition("/")
        if file == MANIFEST and VERSION_NAME.fullmatch(name):
            yield name


def read_file(model: str, version: str, name: str, bucket: Bucket) -> bytes:
    """The bytes of one file of a version. Raises NotFound."""
    return bucket.store.get(version_uri(bucket.root, model, version) + name)
