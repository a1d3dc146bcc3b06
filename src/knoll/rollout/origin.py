"""Where a version comes from: the chain data → run → outcome → version, by records of the bucket."""

from knoll.models import Model
from knoll.names import version_name
from knoll.ports import Bucket
from knoll.records.claim import find_claim, list_claims
from knoll.records.dataset import find_snapshot, why_foreign
from knoll.records.manifest import Sealed
from knoll.records.outcome import find_outcome
from knoll.records.run import find_run

__all__ = ["fault_of_chain", "fault_of_origin"]


def fault_of_chain(sealed: Sealed, model: Model, bucket: Bucket) -> str:
    """What is wrong with where the version comes from: the Model's data, as far as its snapshot is there."""
    fault, digest = fault_of_origin(sealed, bucket), sealed.manifest.dataset_digest
    dataset = None if fault else find_snapshot(model.name, digest, bucket)
    return why_foreign(dataset, model.name, digest, model.dataset.uri) if dataset else fault


def fault_of_origin(sealed: Sealed, bucket: Bucket) -> str:
    """What is wrong with the chain claim → run → outcome → version; "" for nothing."""
    made, version = sealed.manifest, sealed.manifest.version
    outcome = find_outcome(made.run, bucket)
    if outcome is None or (outcome.state, outcome.version) != ("succeeded", version):
        ended = f" but {outcome.state} {outcome.version}".rstrip() if outcome else ""
        return f"run {made.run} has not ended with this version{ended}"
    if outcome.manifest_sha256 not in ("", sealed.sha256):
        return f"its manifest is not the one that run {made.run} has published"
    run = find_run(made.run, bucket)
    if run is None or (run.model, run.dataset_digest) != (made.model, made.dataset_digest):
        return f"run {made.run}, which should have made it, " + (
            "has no record" if run is None else "is one of other data"
        )
    claim = find_claim(made.model, version, bucket)
    if claim is None or claim.run != made.run:
        return f"run {made.run} has not claimed its number"
    claims = [*list_claims(made.model, bucket)]
    if version not in claims:
        return f"its number is out of order: {version_name(1 + len(claims))} was never claimed"
    return ""
