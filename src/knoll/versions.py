"""The model version: an immutable folder of files, and the manifest that makes it exist.

    models/<model>/v000007/
        model.safetensors   weights, with no code in them
        model.onnx          the graph that is served
        signature.json      how requests become tensors and tensors answers (see `Signature`)
        samples.json        requests and their answers: warm-up before ready, replay during a canary
        README.md           model card
        *.png               pictures: confusion matrix, sample grids
        manifest.json       written last: size and sha256 of every other file, and the version's origin

A version is served only if every byte matches its manifest; a file that the manifest does not name is a
fault, too.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from knoll.errors import InvalidVersion

__all__ = [
    "FileEntry",
    "Manifest",
    "Signature",
    "Tensor",
    "dump_manifest",
    "entry_of",
    "load_manifest",
    "load_signature",
    "verify",
]


@dataclass(frozen=True)
class FileEntry:
    """Size in bytes and sha256 in hex of one file."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a version is and where it comes from. `files` has names relative to the version's folder."""

    model: str
    version: str
    family: str
    run: str
    dataset_digest: str
    config: Mapping[str, Any]
    metrics: Mapping[str, float]
    created_at: str
    code_version: str
    files: Mapping[str, FileEntry]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Tensor:
    """One input or output of the graph: name, OIP datatype (FP32, INT64, ...), shape with -1 for the batch,
    and the codec that turns JSON into it or it into JSON, with the codec's options (see `knoll.codecs`)."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    codec: str = "tensor"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Signature:
    """How requests become tensors and tensors become answers, so that the predictor knows no family."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def entry_of(body: bytes) -> FileEntry:
    """The manifest entry of a file's bytes."""
    return FileEntry(len(body), hashlib.sha256(body).hexdigest())


def dump_manifest(manifest: Manifest) -> bytes:
    """The manifest as JSON with sorted keys."""
    return json.dumps(asdict(manifest), sort_keys=True, indent=1).encode()


def load_manifest(body: bytes) -> Manifest:
    """Read a manifest. Raises InvalidVersion when it is not one."""
    try:
        fields = json.loads(body)
        return Manifest(
            **{**fields, "files": {name: FileEntry(**entry) for name, entry in fields["files"].items()}}
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InvalidVersion(f"manifest.json is not a manifest: {error}") from error


def load_signature(body: bytes) -> Signature:
    """Read signature.json. Raises InvalidVersion when it is not one."""
    try:
        fields = json.loads(body)
        inputs, outputs = (
            tuple(Tensor(**{**one, "shape": tuple(one["shape"])}) for one in fields[side])
            for side in ("inputs", "outputs")
        )
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InvalidVersion(f"signature.json is not a signature: {error}") from error
    return Signature(inputs, outputs)


def verify(manifest: Manifest, files: Mapping[str, bytes]) -> None:
    """Compare files, by name without manifest.json, with their manifest. Raises InvalidVersion that lists
    every difference."""
    faults = [f"{name} is missing" for name in manifest.files if name not in files]
    faults += [f"{name} is not in the manifest" for name in files if name not in manifest.files]
    for name in sorted(set(files) & set(manifest.files)):
        found, wanted = entry_of(files[name]), manifest.files[name]
        if found != wanted:
            faults.append(
                f"{name} has sha256 {found.sha256[:12]}… and {found.size} bytes, the manifest says "
                f"{wanted.sha256[:12]}… and {wanted.size}"
            )
    if faults:
        raise InvalidVersion(
            f"{manifest.model} {manifest.version} is not what was trained: " + "; ".join(faults)
        )
