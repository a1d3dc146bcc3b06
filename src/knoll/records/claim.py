"""The claim: which run has a version number. It is written once and never removed, so that no number is used
for other bytes.

Numbers are claimed in a row from 1. So a claim behind a gap is a stray, whatever it says, and no stray makes
the numbers jump. Anybody can write the next claim. If it is unsigned and of a newer schema, its number is
taken, and no run has it. Claims have a folder of their own, so that a listing of versions shows only
versions.
"""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from itertools import count, takewhile

from pydantic import with_config

from knoll.errors import NewerSchema, Rejected
from knoll.names import RUN_ID, join, version_name
from knoll.ports import Bucket
from knoll.records.record import LENIENT, put_once
from knoll.records.stamp import UNSIGNED, Stamped, find_known, has_keys, stamped, stamped_reader

__all__ = [
    "Claim",
    "claim_uri",
    "claims_uri",
    "find_claim",
    "in_a_row",
    "list_claims",
    "load_claim",
    "write_claim",
]


@with_config(LENIENT)
@dataclass(frozen=True)
class Claim(Stamped):
    """The run that has the number."""

    by_trainers = True
    run: str


_load = stamped_reader(Claim, "claim")


def load_claim(body: bytes) -> Claim:
    """Read a claim; knoll 0.1 wrote only the run id. Raises Rejected for anything else."""
    text = body.decode(errors="replace")
    return Claim(text) if RUN_ID.fullmatch(text) else _load(body)


def claims_uri(root: str, model: str) -> str:
    """The folder of a model's claims."""
    return join(root, "claims", model, "")


def claim_uri(root: str, model: str, version: str) -> str:
    """URI of the claim of a version number."""
    return join(root, "claims", model, version)


def find_claim(model: str, version: str, bucket: Bucket) -> Claim | None:
    """Which run has this version number; None if no run has it. Raises Rejected for what is no claim."""
    try:
        return find_known(claim_uri(bucket.root, model, version), load_claim, Claim, bucket)
    except NewerSchema as error:
        if has_keys(Claim, bucket):
            raise
        raise Rejected(f"{UNSIGNED}, and {error}", fix=error.fix) from error


def write_claim(model: str, version: str, claim: Claim, bucket: Bucket) -> bool:
    """Claim the version number if no run has it. True if this call claimed it."""
    return put_once(claim_uri(bucket.root, model, version), stamped(claim, bucket), bucket)


def list_claims(model: str, bucket: Bucket) -> Iterator[str]:
    """The versions whose numbers are claimed, from v000001 to the first gap, by a listing alone."""
    place = claims_uri(bucket.root, model)
    yield from in_a_row({one.uri.removeprefix(place) for one in bucket.store.list(place)})


def in_a_row(names: Container[str]) -> Iterator[str]:
    """The names from v000001 to the first gap."""
    yield from takewhile(names.__contains__, map(version_name, count(1)))
