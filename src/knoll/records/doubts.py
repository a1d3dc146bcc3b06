"""Doubts: why an object cannot be the record that it claims to be; "" if it can."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from knoll.errors import Rejected
from knoll.names import join, model_of_run
from knoll.ports import Bucket
from knoll.records.claim import find_claim, list_claims
from knoll.records.manifest import ATTESTATION, manifest_uri, version_uri
from knoll.records.outcome import Outcome, find_outcome, has_outcome, outcome_uri, why_stray
from knoll.records.record import is_there
from knoll.records.rollout import RolloutStep
from knoll.records.run import Run, is_opened
from knoll.records.stamp import UNSTAMPED, Stamped, has_keys, is_body_stamped, is_stamped, why_unstamped

__all__ = [
    "Facts",
    "doubt_folder",
    "doubt_hint",
    "doubt_late_cause",
    "doubt_manifest",
    "doubt_newer_entry",
    "doubt_newer_hint",
    "doubt_newer_outcome",
    "doubt_newer_step",
    "doubt_newer_version",
    "doubt_outcome",
    "doubt_removal",
    "doubt_run",
    "doubt_snapshot",
    "doubt_stamp",
    "doubt_step",
    "outcome_fault",
    "unless_stamped",
]

Facts = dict[str, str]  # what a key says, by name


def _doubt_claim(model: str, version: str, run: str, bucket: Bucket) -> str:
    """Why the run cannot have made the version."""
    with suppress(Rejected):
        claim = find_claim(model, version, bucket)
        if claim is None:
            return f"no run has claimed {version}"
        return "" if run in ("", claim.run) else f"{version} was claimed by another run than {run[:80]}"
    return f"the claim of {version} cannot be read"


def doubt_step(step: Any, named: Facts, bucket: Bucket) -> str:
    """Why the step cannot have happened."""
    if step.action == "Reject":
        return doubt_stamp(step, named, bucket)  # also of a version that nobody has claimed
    if doubt := _doubt_claim(named["model"], step.version, "", bucket):
        return doubt
    claim = find_claim(named["model"], step.version, bucket)
    outcome = find_outcome(claim.run, bucket) if claim else None
    pins = {step.manifest_sha256, outcome.manifest_sha256 if outcome else ""} - {""}
    if len(pins) > 1:
        return "it pins another manifest than the run has published"
    return doubt_stamp(step, named, bucket)


def doubt_stamp(one: Any, _: Facts, bucket: Bucket) -> str:
    """What is wrong with the stamp of a record about a version. Versions that were made before there were
    keys have no attestation, and the records about them have no stamp."""
    if is_stamped(one, bucket):
        return ""
    uri = join(version_uri(bucket.root, one.model, one.version), ATTESTATION)
    return UNSTAMPED if one.stamp or is_there(uri, bucket) else ""


def doubt_newer_step(body: bytes, named: Facts, bucket: Bucket) -> str:
    """Why bytes of a newer schema are no step."""
    if bucket.stamp_verify_key:
        return "" if is_body_stamped(RolloutStep, body, bucket) else UNSTAMPED
    return doubt_newer_version(body, named, bucket)


def doubt_newer_version(_: bytes, named: Facts, bucket: Bucket) -> str:
    """Why bytes of a newer schema are no manifest."""
    is_claimed = named["version"] in list_claims(named["model"], bucket)
    return "" if is_claimed else f"no run has claimed {named['version']}"


def doubt_newer_hint(*_: Any) -> str:
    """Why a hint of a newer schema does not count."""
    return "only a newer knoll could read it, and work goes on without it"


def doubt_snapshot(*_: Any) -> str:
    """Why bytes of a newer schema are no snapshot."""
    return "its content is not that of the digest in its name"


def unless_stamped(kind: type[Stamped], *, always: bool = False) -> Callable[[bytes, Facts, Bucket], str]:
    """The doubt about what nobody has stamped; with `always`, also where there are no keys."""

    def doubt(body: bytes, _: Facts, bucket: Bucket) -> str:
        is_known = is_body_stamped(kind, body, bucket) and (has_keys(kind, bucket) or not always)
        return "" if is_known else why_unstamped(kind)

    return doubt


def doubt_run(run: Run, _: Facts, bucket: Bucket) -> str:
    """A run that has ended is not trained again, so it does no harm."""
    if is_stamped(run, bucket):
        return ""
    return UNSTAMPED if run.stamp or not has_outcome(run.id, bucket) else ""


def doubt_newer_entry(body: bytes, named: Facts, bucket: Bucket) -> str:
    """Without keys an entry is of a newer knoll if its run has a record; else train passes it over."""
    if not bucket.stamp_verify_key and not is_opened(named["run"], bucket):
        return "its run has no record"
    return unless_stamped(Run)(body, named, bucket)


def doubt_newer_outcome(body: bytes, named: Facts, bucket: Bucket) -> str:
    """Why bytes of a newer schema are no outcome."""
    if not has_keys(Outcome, bucket) and not is_opened(named["run"], bucket):
        return "its run was never opened"
    return unless_stamped(Outcome)(body, named, bucket)


def doubt_outcome(outcome: Any, named: Facts, bucket: Bucket) -> str:
    """Why the run cannot have ended so."""
    run = named["run"]
    if doubt := why_stray(outcome, run, bucket):
        return doubt
    return _doubt_claim(model_of_run(run), outcome.version, run, bucket) if outcome.version else ""


def outcome_fault(run: str, bucket: Bucket) -> str:
    """Why what lies in the place of the outcome does not count, for a run that has none; "" if nothing lies
    there."""
    return why_unstamped(Outcome) if is_there(outcome_uri(bucket.root, run), bucket) else ""


def doubt_hint(_record: Any, named: Facts, bucket: Bucket) -> str:
    """Why a hint about a run says nothing. An outcome may be foretold."""
    run = named["run"]
    return "" if is_opened(run, bucket) or has_outcome(run, bucket) else "its run was never opened"


def doubt_late_cause(late: Any, named: Facts, bucket: Bucket) -> str:
    """Why the event cannot have told of the run's data."""
    return doubt_hint(late, named, bucket) or ("" if is_stamped(late, bucket) else UNSTAMPED)


def doubt_folder(model: str, version: str, bucket: Bucket) -> str:
    """Why the files in the folder of a version belong to none."""
    return _doubt_claim(model, version, "", bucket)


def doubt_removal(_record: Any, named: Facts, bucket: Bucket) -> str:
    """Why the copy of a manifest belongs to no removal."""
    is_whole = is_there(manifest_uri(bucket.root, named["model"], named["version"]), bucket)
    return "the version has its manifest, so it is not being removed" if is_whole else ""


def doubt_manifest(manifest: Any, _: Facts, bucket: Bucket) -> str:
    """Why the run cannot have made the version."""
    return _doubt_claim(manifest.model, manifest.version, manifest.run, bucket)
