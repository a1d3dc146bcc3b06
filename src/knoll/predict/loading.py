"""A version, fetched and verified: nothing is loaded before every byte has matched the manifest.

A name that leads out of the folder is a fault. A file that the manifest does not name is a stray, and is not
fetched.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from knoll.errors import InvalidVersion
from knoll.names import split_uri
from knoll.ports import ObjectInfo
from knoll.predict.folder import Folder
from knoll.records.manifest import GRAPH, SEALS, Manifest, Sealed, entry_of, not_as_trained, verify
from knoll.records.samples import SAMPLES, Sample, Samples, load_samples
from knoll.records.signature import SIGNATURE, Signature, load_signature, with_files
from knoll.records.version_folder import Source, VersionFolder, wrong_sizes

__all__ = ["Keep", "Version", "fetch_version", "read_version"]

_NAME = re.compile(
    r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*/)*[A-Za-z0-9_][A-Za-z0-9_.-]*\.(?:onnx|json|safetensors|png|md)"
)
_CONNECTIONS = 8
_PART = 8 * 2**20  # bytes of one read, as S3 advises: smaller ones cost more CPU
_EMPTY = entry_of(b"")
Keep = Callable[[Mapping[str, bytes]], None]


@dataclass(frozen=True)
class Version:
    """A verified version. `graph` is its ONNX model, `digest` the sha256 of manifest.json in hex, `tolerance`
    that of the numbers in its samples. `verified_in` are the seconds that its files took to verify."""

    manifest: Manifest
    digest: str
    signature: Signature
    graph: bytes = field(repr=False)
    samples: Sequence[Sample] = field(repr=False)
    tolerance: float = Samples.tolerance
    verified_in: float = field(default=0.0, compare=False)


def fetch_version(
    store: Source, uri: str, model: str, pin: str = "", keys: str = "", keep: Keep | None = None
) -> Version:
    """Fetch and verify the version of `model` in the folder `uri`, which ends with a slash. `pin` is the
    sha256 that its manifest must have; "" if it was made before versions were pinned. One of the public
    `keys` must have signed it, unless there are none. `keep` gets all files once they are verified.

    Raises InvalidVersion that lists every difference from the manifest, NotFound without a manifest,
    StoreUnavailable.
    """
    split_uri(uri)
    if not uri.endswith("/"):
        raise InvalidVersion(
            f"{uri} is no folder of a version", fix="end it with a slash: v000001 would also match v0000010"
        )
    folder = VersionFolder(store, uri)
    sealed = folder.read_sealed(pin)
    if sealed.manifest.model != model:
        raise InvalidVersion(f"{uri} is a version of {sealed.manifest.model}, not of {model}")
    folder.check_signed(sealed, keys)
    return _verified(sealed, _fetch_files(folder, sealed.manifest), keep)


def read_version(path: Path, pin: str = "", keys: str = "", keep: Keep | None = None) -> Version:
    """Read and verify a version in a local folder of any name. Raises as `fetch_version`.

    KServe's storage initializer leaves out objects of zero bytes, so an empty file may be missing.
    """
    local = Folder(path)
    folder = VersionFolder(local, local.uri, has_any_name=True)
    sealed = folder.read_sealed(pin)
    folder.check_signed(sealed, keys)
    left_out = {name: b"" for name, entry in sealed.manifest.files.items() if entry == _EMPTY}
    return _verified(sealed, {**left_out, **_fetch_files(folder, sealed.manifest)}, keep)


def _verified(sealed: Sealed, files: Mapping[str, bytes], keep: Keep | None) -> Version:
    began = time.perf_counter()
    verify(sealed.manifest, files)
    if keep:
        keep(files)
    return replace(_read(sealed.manifest, sealed.sha256, files), verified_in=time.perf_counter() - began)


def _fetch_files(folder: VersionFolder, manifest: Manifest) -> Mapping[str, bytes]:
    """The files that the manifest names, as far as they are there."""
    listed = {name: one for name, one in folder.list(manifest).items() if name in manifest.files}
    _check_names(manifest, listed)
    wanted = [(name, part) for name, one in listed.items() for part in _parts(one.size)]
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        read = pool.map(lambda one: folder.get(one[0], listed, one[1]), wanted)
        found: dict[str, list[bytes]] = {name: [] for name in listed}
        for (name, _), body in zip(wanted, read, strict=True):
            found[name].append(body)
    return {name: b"".join(parts) for name, parts in found.items()}


def _parts(size: int) -> Sequence[range | None]:
    """A file in parts that several connections fetch; a small one whole."""
    starts = range(0, size, _PART)
    return [range(start, min(start + _PART, size)) for start in starts] if len(starts) > 1 else [None]


def _check_names(manifest: Manifest, found: Mapping[str, ObjectInfo]) -> None:
    """Refuse odd names, and files of another size, before anything is fetched."""
    faults = [
        f"{name!r} is no file of a version" for name in sorted(manifest.files) if not _NAME.fullmatch(name)
    ]
    faults += wrong_sizes(manifest, found)
    faults += [f"the manifest names {name}" for name in SEALS if name in manifest.files]
    if faults:
        raise not_as_trained(manifest, faults)


def _read(manifest: Manifest, digest: str, files: Mapping[str, bytes]) -> Version:
    for name in (GRAPH, SIGNATURE, SAMPLES):
        if name not in files:
            raise InvalidVersion(f"{manifest.model} {manifest.version} has no {name}")
    signature = with_files(load_signature(files[SIGNATURE]), files)
    kept = load_samples(files[SAMPLES])
    return Version(manifest, digest, signature, files[GRAPH], kept.samples, kept.tolerance)
