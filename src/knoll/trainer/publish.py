"""Publishing a version: first its number, then its files, and the manifest last.

A claim gives a number to one run only, and a run that starts again finds its own number. A claim that cannot
be read takes its own number. No file is ever overwritten. If an earlier attempt left other bytes under the
number, the run takes a new number. The old one has no manifest, so it never becomes a version.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import chain, count

from knoll.errors import Rejected
from knoll.names import version_name
from knoll.ports import Bucket
from knoll.records.claim import Claim, find_claim, list_claims, write_claim
from knoll.records.manifest import Manifest, Sealed, find_sealed, write_file, write_manifest

__all__ = ["Draft", "publish"]

# From a version number: its files by name, without the manifest, and the manifest.
Draft = Callable[[str], tuple[Mapping[str, bytes], Manifest]]


def publish(model: str, run: str, draft: Draft, bucket: Bucket) -> Sealed:
    """Write the run's version, unless the run has one; returns its manifest with its sha256.

    Raises StoreUnavailable if the store does not answer; the next call continues where this one stopped.
    """
    claims = {version: _claimant(model, version, bucket) for version in list_claims(model, bucket)}
    mine = [version for version, claimant in claims.items() if claimant == run]
    for version in mine:
        published = find_sealed(model, version, bucket)
        if published is not None:
            return published
    for version in chain(mine, _claim_numbers(run, model, 1 + len(claims), bucket)):
        files, manifest = draft(version)
        if all(write_file(model, version, name, body, bucket) for name, body in files.items()):
            return write_manifest(manifest, bucket)
    raise AssertionError("there is always another number")


def _claim_numbers(run: str, model: str, first: int, bucket: Bucket) -> Iterator[str]:
    """Claim numbers from the first that is free, each when it is asked for."""
    for number in count(first):
        version = version_name(number)
        if write_claim(model, version, Claim(run), bucket) or _claimant(model, version, bucket) == run:
            yield version


def _claimant(model: str, version: str, bucket: Bucket) -> str:
    """The run that has this number; "" if its claim cannot be read."""
    with suppress(Rejected):
        claim = find_claim(model, version, bucket)
        return claim.run if claim else ""
    return ""
