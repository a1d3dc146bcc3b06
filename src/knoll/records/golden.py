"""The golden set of a model: files that score each version, and that are no part of its data.

Its digest is pinned when a run first uses it, under its URI, and a pin that counts never gets another digest.
So whoever writes the data cannot exchange the golden set afterwards. Another URI has another pin. Trainers
sign it: with keys, no other pin counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import with_config

from knoll.errors import NewerSchema, Rejected
from knoll.names import digest, join
from knoll.ports import Bucket
from knoll.quoting import escaped
from knoll.records.record import LENIENT, Numbers, overwrite, put_once
from knoll.records.stamp import UNSIGNED, Stamped, find_stamped, has_keys, stamped, stamped_reader

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
class GoldenSet(Stamped):
    """The state in which a golden set is pinned. `size` is in bytes, `run` was the first to use it."""

    by_trainers = True
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


load_golden = stamped_reader(GoldenSet, "pin of a golden set")


def golden_uri(root: str, model: str, uri: str) -> str:
    """URI of the pin of the golden set at `uri`."""
    return join(root, "golden", model, f"{digest([uri])}.json")


def golden_digest(sha256: Mapping[str, str]) -> str:
    """Sha256 over the keys of the files, relative to the prefix, each with the sha256 of its bytes."""
    return digest(part for key in sorted(sha256) for part in (key, sha256[key]))


def find_golden(model: str, uri: str, bucket: Bucket) -> GoldenSet | None:
    """The pin of the golden set at that URI; None if no run has used it. Raises Rejected if it is spoilt, is
    the pin of another golden set, or has no signature that counts."""
    try:
        found = find_stamped(golden_uri(bucket.root, model, uri), load_golden, GoldenSet, bucket)
    except NewerSchema as error:
        if has_keys(GoldenSet, bucket):
            raise
        raise Rejected(f"{UNSIGNED}, and {error}", fix=error.fix) from error
    if found and (found.model, found.uri) != (model, uri):
        raise Rejected(f"it is the pin of another golden set: {escaped(f'{found.model} {found.uri}')[:80]}")
    return found


def pin_golden(golden: GoldenSet, bucket: Bucket) -> GoldenSet:
    """Write the pin if there is none that counts, else sign the one that is there with the key of this
    process; returns the one that is there then."""
    uri, mine = golden_uri(bucket.root, golden.model, golden.uri), stamped(golden, bucket)
    if put_once(uri, mine, bucket):
        return mine
    try:
        there = find_golden(golden.model, golden.uri, bucket)
    except Rejected:
        there = None
    signed = stamped(there or golden, bucket)
    if signed != there:
        overwrite(uri, signed, bucket)
    return signed


def fault_of_score(score: GoldenScore, pinned: str) -> str:
    """Why the score was not measured on the golden set with the digest `pinned`; "" if it was. A golden set
    that is not pinned has no digest: ""."""
    if not pinned:
        return f"the golden set {score.uri} is not pinned"
    if pinned == score.digest:
        return ""
    return f"it was scored on {score.uri} with digest {score.digest[:12]}, and {pinned[:12]} is pinned"
