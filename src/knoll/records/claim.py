"""The claim: which run has a version number; written once, and never removed, so that a number is never given
to other bytes.

Claims lie apart from the versions, so that a listing of those shows nothing else.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import with_config

from knoll.names import RUN_ID, join
from knoll.ports import Bucket
from knoll.records.record import LENIENT, Record, find, put_once, reader

__all__ = ["Claim", "claim_uri", "claims_uri", "find_claim", "list_claims", "load_claim", "write_claim"]


@with_config(LENIENT)
@dataclass(frozen=True)
class Claim(Record):
    """The run that has the number."""

    run: str


_load = reader(Claim, "claim")


def load_claim(body: bytes) -> Claim:
    """Read a claim; knoll 0.1 wrote the id of the run alone. Raises Rejected for what is none."""
    text = body.decode(errors="replace")
    return Claim(text) if RUN_ID.fullmatch(text) else _load(body)


def claims_uri(root: str, model: str) -> str:
    """Where the claims of a model lie."""
    return join(root, "claims", model, "")


def claim_uri(root: str, model: str, version: str) -> str:
    """Where the claim of a version number lies."""
    return join(root, "claims", model, version)


def find_claim(model: str, version: str, bucket: Bucket) -> Claim | None:
    """Which run has that version number; None when no run has."""
    return find(claim_uri(bucket.root, model, version), load_claim, bucket)


def write_claim(model: str, version: str, claim: Claim, bucket: Bucket) -> bool:
    """Claim a version number; False when a run has it."""
    return put_once(claim_uri(bucket.root, model, version), claim, bucket)


def list_claims(model: str, bucket: Bucket) -> Iterator[str]:
    """The version numbers that have a claim, by a listing alone. What else lies there is shown, too."""
    place = claims_uri(bucket.root, model)
    for one in bucket.store.list(place):
        yield one.uri.removeprefix(place)
