"""The state of a golden set that counts: the pinned one. If the pin is gone or spoilt, it is the one on which
the oldest version was scored.

Whoever has the keys of the bucket can delete a pin, or write another one, and exchange the golden set. So it
is not pinned anew as long as something signed tells its state: the manifest of a version or, when that is
removed, the outcome of its run.
"""

from contextlib import suppress
from dataclasses import dataclass

from knoll.errors import NewerSchema, Rejected
from knoll.names import version_number
from knoll.ports import Bucket
from knoll.records.attestation import look_at_attestation
from knoll.records.claim import find_claim, list_claims
from knoll.records.golden import find_golden, golden_uri
from knoll.records.manifest import find_sealed, list_versions
from knoll.records.outcome import find_outcome
from knoll.records.stamp import is_stamped

__all__ = ["Pinned", "look_at_golden"]


@dataclass(frozen=True)
class Pinned:
    """The digest that counts, and who says so, in words that a digest can follow; both are "" if the golden
    set was never used. `fault` is where the pin lies and why it does not count; "" if it counts, or if there
    is none."""

    digest: str = ""
    says: str = ""
    fault: str = ""


def look_at_golden(model: str, uri: str, bucket: Bucket) -> Pinned:
    """The state of the golden set at that URI that counts for the model. Raises Unavailable."""
    fault = ""
    try:
        if pin := find_golden(model, uri, bucket):
            return Pinned(pin.digest, f"run {pin.run} pinned {pin.files} files with digest")
    except Rejected as error:
        fault = f"{golden_uri(bucket.root, model, uri)}: {error}"
    for version in _versions(model, bucket):
        if digest := _scored_on(model, version, uri, bucket):
            return Pinned(digest, f"{version} was scored on files with digest", fault)
    return Pinned(fault=fault)


def _versions(model: str, bucket: Bucket) -> list[str]:
    """All versions that are known, oldest first, also those that were removed."""
    return sorted({*list_claims(model, bucket), *list_versions(model, bucket)}, key=version_number)


def _scored_on(model: str, version: str, uri: str, bucket: Bucket) -> str:
    """The digest that the golden set had for the version; "" if it was not scored on it."""
    with suppress(Rejected, NewerSchema):
        sealed = find_sealed(model, version, bucket)
        if sealed and not look_at_attestation(model, version, sealed.sha256, bucket.verify_key, bucket).fault:
            score = sealed.manifest.golden
            return score.digest if score and score.uri == uri else ""
    with suppress(Rejected, NewerSchema):
        claim = find_claim(model, version, bucket)
        outcome = find_outcome(claim.run, bucket) if claim else None
        if (
            outcome
            and (outcome.version, outcome.golden_set) == (version, uri)
            and is_stamped(outcome, bucket)
        ):
            return outcome.golden_digest
    return ""
