"""The samples of a version, samples.json: requests with the answers that its training gave.

A predictor answers them before it is ready, rollouts replay them, and the next version answers them before it
gets any traffic.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pydantic import with_config

from knoll.errors import InvalidVersion, NotFound
from knoll.names import join
from knoll.ports import Bucket
from knoll.records.manifest import entry_of, not_as_trained, version_uri
from knoll.records.record import LENIENT, Record, find, read_some, reader
from knoll.records.version_folder import version_folder

__all__ = [
    "SAMPLES",
    "Sample",
    "Samples",
    "encode_samples",
    "find_pinned_samples",
    "find_samples",
    "load_samples",
    "samples_place",
    "samples_uri",
]

SAMPLES = "samples.json"


@with_config(LENIENT)
@dataclass(frozen=True)
class Sample:
    """One instance of a V1 request, and the prediction for it; None if its training gave none. `target` is
    the label that the held-out data has for it; None if it has none."""

    instance: Any
    prediction: Any = None
    target: Any = None


@with_config(LENIENT)
@dataclass(frozen=True)
class Samples(Record):
    """All samples of a version. On another CPU the numbers of a prediction may differ by `tolerance`, both
    relative and absolute."""

    samples: tuple[Sample, ...]
    tolerance: float = 1e-3


_read = reader(Samples, "list of samples", file=SAMPLES, fault=InvalidVersion)


def encode_samples(samples: Iterable[Sample], tolerance: float = Samples.tolerance) -> bytes:
    """The content of samples.json."""
    return Samples(tuple(samples), tolerance).encode()


def load_samples(body: bytes) -> Samples:
    """Read samples.json; knoll 0.1 wrote the list alone. Raises InvalidVersion and NewerSchema."""
    return _read(b'{"samples": %s}' % body if body.lstrip().startswith(b"[") else body)


def find_samples(model: str, version: str, bucket: Bucket) -> Sequence[Sample] | None:
    """The samples of a version; None if it has none. Raises InvalidVersion and NewerSchema."""
    found = find(samples_uri(bucket.root, model, version), load_samples, bucket)
    return found.samples if found else None


def find_pinned_samples(model: str, version: str, pin: str, bucket: Bucket) -> Sequence[Sample] | None:
    """The same, if manifest and samples are what was trained: `pin` is the sha256 of the manifest, "" is no
    pin. None also without a manifest."""
    with suppress(NotFound):
        manifest = version_folder(model, version, bucket).read_sealed(pin).manifest
        body = read_some(samples_uri(bucket.root, model, version), bucket)
        if entry_of(body) != manifest.files.get(SAMPLES):
            raise not_as_trained(manifest, [f"{SAMPLES} has other bytes"])
        return load_samples(body).samples
    return None


def samples_place(model: str, version: str, bucket: Bucket) -> str:
    """Where the samples of a version are, for people."""
    return samples_uri(bucket.root, model, version)


def samples_uri(root: str, model: str, version: str) -> str:
    """URI of the samples of a version."""
    return join(version_uri(root, model, version), SAMPLES)
