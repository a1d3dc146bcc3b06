"""The golden set of a model: files that score each version, and that do not come with its data.

Its digest is pinned when a run first uses it, under its URI, and the pin is never overwritten. So whoever
writes the data cannot exchange the golden set afterwards. Another URI has another pin.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import with_config

from knoll.names import digest, join
from knoll.ports import Bucket
from knoll.records.record import LENIENT, Numbers, Record, find, put_once, reader

__all__ = [
    "GoldenScore",
    "GoldenSet",
    "fault_of_score",
    "find_golden",
    "golden_digest",
    "golden_uri",
    "load_golden",
    "pin_golden",
]


@with_config(LENIENT)
@dataclass(frozen=True)
class GoldenSet(Record):
    """The state in which a golden set is pinned. `size` is in bytes, `run` was the first to use it."""

    model: str
    uri: str
    digest: str
    files: int
    size: int
    run: str
    pinned_at: str

    @property
    def place(self) -> str:
        """The name of its record: the digest of its URI."""
        return digest([self.uri])


@with_config(LENIENT)
@dataclass(frozen=True)
class GoldenScore:
    """How a version did on a golden set, in the state with that digest. `count` is the number of
    examples."""

    uri: str
    digest: str
    count: int
    metrics: Numbers


load_golden = reader(GoldenSet, "pin of a golden set")


def golden_uri(root: str, model: str, uri: str) -> str:
    """URI of the pin of the golden set at `uri`."""
    return join(root, "golden", model, f"{digest([uri])}.json")


def golden_digest(sha256: Mapping[str, str]) -> str:
    """Sha256 over the keys of the files, relative to the prefix, each with the sha256 of its bytes."""
    return digest(part for key in sorted(sha256) for part in (key, sha256[key]))


def find_golden(model: str, uri: str, bucket: Bucket) -> GoldenSet | None:
    """The pin of the golden set at that URI; None if no run has used it. Raises Rejected if it is spoilt."""
    return find(golden_uri(bucket.root, model, uri), load_golden, bucket)


def pin_golden(golden: GoldenSet, bucket: Bucket) -> GoldenSet:
    """Write the pin unless there is one; returns the one that is there."""
    if put_once(golden_uri(bucket.root, golden.model, golden.uri), golden, bucket):
        return golden
    return find_golden(golden.model, golden.uri, bucket) or golden


def fault_of_score(score: GoldenScore, pin: GoldenSet | None) -> str:
    """Why the score was not measured on the pinned golden set; "" if it was."""
    if pin is None:
        return f"the golden set {score.uri} is not pinned"
    if (pin.uri, pin.digest) == (score.uri, score.digest):
        return ""
    return (
        f"it was scored on {score.uri} with digest {score.digest[:12]}, and {pin.uri} is pinned with "
        f"{pin.digest[:12]}"
    )
