"""The samples of a version, samples.json: requests with the answers that its training gave.

A predictor answers them before it is ready, and rollouts replay them. The file is a JSON list, without a
schema: it is one of the version's files, which the manifest names.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from knoll.errors import InvalidVersion
from knoll.names import join
from knoll.ports import Bucket
from knoll.records.manifest import version_uri

__all__ = ["SAMPLES", "Sample", "encode_samples", "load_samples", "read_samples", "samples_uri"]

SAMPLES = "samples.json"


@dataclass(frozen=True)
class Sample:
    """One instance of a V1 request, and the prediction for it; None if its training gave none."""

    instance: Any
    prediction: Any = None


def encode_samples(samples: Iterable[Sample]) -> bytes:
    """The content of samples.json."""
    return json.dumps([asdict(sample) for sample in samples], indent=1).encode()


def load_samples(body: bytes) -> Sequence[Sample]:
    """Read samples.json. Raises InvalidVersion if it is not a list of instances and predictions."""
    try:
        return tuple(Sample(one["instance"], one.get("prediction")) for one in json.loads(body))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidVersion(f"{SAMPLES} is no list of instances and predictions: {error}") from error


def read_samples(model: str, version: str, bucket: Bucket) -> Sequence[Sample]:
    """The samples of a version. Raises NotFound if it has none."""
    return load_samples(bucket.store.get(samples_uri(bucket.root, model, version)))


def samples_uri(root: str, model: str, version: str) -> str:
    """URI of the samples of a version."""
    return join(version_uri(root, model, version), SAMPLES)
