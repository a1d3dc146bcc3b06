"""Publishing a version: first its number, then its files, its attestation, and the manifest last.

A claim gives a number to one run only, and a run that starts again finds its own number. A claim that cannot
be read takes its own number. No file is ever overwritten. If an earlier attempt left other bytes under the
number, the run takes a new number. The old one has no manifest, so it never becomes a version. The same holds
for a manifest that cannot be read, that is of another run, or that this trainer's key has not signed: whoever
wrote it, it is not the run's.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import chain, count

from knoll.errors import NewerSchema, Rejected
from knoll.keys import Signer
from knoll.names import version_name
from knoll.ports import Bucket
from knoll.records.attestation import attest, look_at_attestation
from knoll.records.claim import Claim, find_claim, list_claims, write_claim
from knoll.records.manifest import (
    ATTESTATION,
    Manifest,
    Sealed,
    entry_of,
    find_sealed,
    write_file,
    write_manifest,
)

__all__ = ["Draft", "publish"]

# From a version number: its files by name, without the manifest, and the manifest.
Draft = Callable[[str], tuple[Mapping[str, bytes], Manifest]]


def publish(model: str, run: str, draft: Draft, bucket: Bucket, signer: Signer | None = None) -> Sealed:
    """Write the run's version, unless the run has one; returns its manifest with its sha256.

    Raises StoreUnavailable if the store does not answer; the next call continues where this one stopped.
    """
    claims = {version: _claimant(model, version, bucket) for version in list_claims(model, bucket)}
    free: list[str] = []
    for version in (version for version, claimant in claims.items() if claimant == run):
        with suppress(Rejected, NewerSchema):
            published = find_sealed(model, version, bucket)
            if published is None:
                free.append(version)
            elif _is_own(published, run, signer, bucket):
                return published
    for version in chain(free, _claim_numbers(run, model, 1 + len(claims), bucket)):
        files, manifest = draft(version)
        seals = {ATTESTATION: _attestation(manifest, signer)} if signer else {}
        if all(write_file(model, version, name, body, bucket) for name, body in {**files, **seals}.items()):
            with suppress(Rejected, NewerSchema):
                published = write_manifest(manifest, bucket)
                if _is_own(published, run, signer, bucket):
                    return published
    raise AssertionError("there is always another number")


def _attestation(manifest: Manifest, signer: Signer) -> bytes:
    sha256 = entry_of(manifest.encode()).sha256
    return attest(manifest.model, manifest.version, sha256, signer).encode()


def _is_own(published: Sealed, run: str, signer: Signer | None, bucket: Bucket) -> bool:
    """Whether the run has published this, as far as the key tells."""
    made = published.manifest
    if signer is None or made.run != run:
        return made.run == run
    key = signer.public.pem
    return not look_at_attestation(made.model, made.version, published.sha256, key, bucket).fault


def _claim_numbers(run: str, model: str, first: int, bucket: Bucket) -> Iterator[str]:
    """Claim numbers from the first that is free, each when it is asked for."""
    for number in count(first):
        version = version_name(number)
        if write_claim(model, version, Claim(run), bucket) or _claimant(model, version, bucket) == run:
            yield version


def _claimant(model: str, version: str, bucket: Bucket) -> str:
    """The run that has this number; "" if its claim cannot be read."""
    with suppress(Rejected, NewerSchema):
        claim = find_claim(model, version, bucket)
        return claim.run if claim else ""
    return ""
