"""The places of the model bucket: which keys the records of each kind have, and how one is judged."""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from knoll.errors import Rejected
from knoll.names import MODEL_NAME, RUN_ID, VERSION_NAME, join, model_of_run
from knoll.ports import Bucket
from knoll.records.attestation import load_attestation
from knoll.records.checksums import load_checksums
from knoll.records.claim import Claim, find_claim, list_claims, load_claim
from knoll.records.dataset import load_dataset
from knoll.records.dead_letter import load_death, load_resend
from knoll.records.evidence import Report, load_report
from knoll.records.golden import GoldenSet, load_golden
from knoll.records.labels import Labels, load_labels
from knoll.records.manifest import ATTESTATION, MANIFEST, load_manifest, version_uri
from knoll.records.outcome import Outcome, find_outcome, has_outcome, load_outcome
from knoll.records.probe import load_probe
from knoll.records.progress import load_progress
from knoll.records.record import is_there
from knoll.records.rollout import RolloutStep, load_step
from knoll.records.run import Run, is_opened, load_run
from knoll.records.stamp import UNSTAMPED, Stamped, has_keys, is_body_stamped, is_stamped, why_unstamped
from knoll.records.survey import load_survey

__all__ = ["KNOWN", "Facts", "RecordPlace", "place_of"]

_FILE = r"[^/\x00-\x1f\x7f]+(/[^/\x00-\x1f\x7f]+)*"
Facts = dict[str, str]


@dataclass(frozen=True)
class RecordPlace:
    """Keys of one kind of record. `load` reads it; None takes any bytes. `says` is what the record says of
    the parts of its key that have the same names, and `doubt` why it cannot be true. `doubt_newer` is why
    bytes that claim to be of a newer knoll cannot be."""

    key: re.Pattern[str]
    load: Callable[[bytes], Any] | None = None
    says: Callable[[Any], Facts] = lambda _: {}
    doubt: Callable[[Any, Facts, Bucket], str] = lambda *_: ""
    doubt_newer: Callable[[bytes, Facts, Bucket], str] = lambda *_: ""


def _place(key: str, load: Callable[[bytes], Any] | None = None, *names: str, **more: Any) -> RecordPlace:
    """The place for that key, in which <name> stands for the pattern of a name."""
    patterns = {
        "model": MODEL_NAME.pattern,
        "run": RUN_ID.pattern,
        "version": VERSION_NAME.pattern,
        "letter": "[0-9a-f]{20}",
        "digest": "[0-9a-f]{64}",
    }
    for name, pattern in patterns.items():
        key = key.replace(f"<{name}>", f"(?P<{name}>{pattern})")

    def says(record: Any) -> Facts:
        return {name: str(getattr(record, name)) for name in names}

    return RecordPlace(re.compile(key, re.ASCII), load, **{"says": says, **more})


def _says_step(step: Any) -> Facts:
    return {"model": step.model, "version": step.rollout, "number": f"{step.number:06d}"}


def _says_report(one: Any) -> Facts:
    name = f"{one.instance}.{one.requests:016d}"
    return {"model": one.model, "version": one.version, "name": name}


def _says_labels(one: Labels) -> Facts:
    name = f"{one.instance}.{one.answers:016d}"
    return {"model": one.model, "version": one.version, "name": name}


def _doubt_claim(model: str, version: str, run: str, bucket: Bucket) -> str:
    """Why the run cannot have made the version."""
    with suppress(Rejected):
        claim = find_claim(model, version, bucket)
        if claim is None:
            return f"no run has claimed {version}"
        return "" if run in ("", claim.run) else f"{version} was claimed by another run than {run[:80]}"
    return f"the claim of {version} cannot be read"


def _doubt_step(step: Any, named: Facts, bucket: Bucket) -> str:
    if step.action == "Reject":
        return _doubt_stamp(step, bucket)  # also of a version that nobody has claimed
    if doubt := _doubt_claim(named["model"], step.version, "", bucket):
        return doubt
    claim = find_claim(named["model"], step.version, bucket)
    outcome = find_outcome(claim.run, bucket) if claim else None
    pins = {step.manifest_sha256, outcome.manifest_sha256 if outcome else ""} - {""}
    if len(pins) > 1:
        return "it pins another manifest than the run has published"
    return _doubt_stamp(step, bucket)


def _doubt_stamp(one: RolloutStep | Report | Labels, bucket: Bucket) -> str:
    """What is wrong with the stamp of a record about a version. Versions that were made before there were
    keys have no attestation, and the records about them have no stamp."""
    if is_stamped(one, bucket):
        return ""
    uri = join(version_uri(bucket.root, one.model, one.version), ATTESTATION)
    return UNSTAMPED if one.stamp or is_there(uri, bucket) else ""


def _doubt_newer_step(body: bytes, named: Facts, bucket: Bucket) -> str:
    if bucket.stamp_verify_key:
        return "" if is_body_stamped(RolloutStep, body, bucket) else UNSTAMPED
    return _doubt_newer_version(body, named, bucket)


def _doubt_newer_version(_: bytes, named: Facts, bucket: Bucket) -> str:
    is_claimed = named["version"] in list_claims(named["model"], bucket)
    return "" if is_claimed else f"no run has claimed {named['version']}"


def _doubt_snapshot(*_: Any) -> str:
    return "it is not the snapshot that its name says"


def _unless_stamped(kind: type[Stamped], *, always: bool = False) -> Callable[[bytes, Facts, Bucket], str]:
    """The doubt about what nobody has stamped; with `always`, also where there are no keys."""

    def doubt(body: bytes, _: Facts, bucket: Bucket) -> str:
        is_known = is_body_stamped(kind, body, bucket) and (has_keys(kind, bucket) or not always)
        return "" if is_known else why_unstamped(kind)

    return doubt


def _doubt_run(run: Run, _: Facts, bucket: Bucket) -> str:
    """A run that has ended is not trained again, so it does no harm."""
    if is_stamped(run, bucket):
        return ""
    return UNSTAMPED if run.stamp or not has_outcome(run.id, bucket) else ""


def _doubt_newer_entry(body: bytes, named: Facts, bucket: Bucket) -> str:
    """Without keys an entry is of a newer knoll if its run has a record; else train passes it over."""
    if not bucket.stamp_verify_key and not is_opened(named["run"], bucket):
        return "its run has no record"
    return _unless_stamped(Run)(body, named, bucket)


def _doubt_newer_outcome(body: bytes, named: Facts, bucket: Bucket) -> str:
    if not has_keys(Outcome, bucket) and not is_opened(named["run"], bucket):
        return "its run was never opened"
    return _unless_stamped(Outcome)(body, named, bucket)


def _doubt_outcome(outcome: Any, named: Facts, bucket: Bucket) -> str:
    run = named["run"]
    return _doubt_claim(model_of_run(run), outcome.version, run, bucket) if outcome.version else ""


def _doubt_manifest(manifest: Any, _: Facts, bucket: Bucket) -> str:
    return _doubt_claim(manifest.model, manifest.version, manifest.run, bucket)


_PLACES = (
    _place(r"datasets/<model>/<digest>\.json", load_dataset, "model", "digest", doubt_newer=_doubt_snapshot),
    _place(r"checksums/<model>\.json", load_checksums),
    _place(
        r"inbox/<run>\.\d{8}T\d{12}Z\.json",
        load_run,
        says=lambda run: {"run": run.id, "owner": run.model},
        doubt=_doubt_run,
        doubt_newer=_doubt_newer_entry,
    ),
    _place(
        r"runs/<run>\.json",
        load_run,
        says=lambda run: {"run": run.id, "owner": run.model},
        doubt=_doubt_run,
        doubt_newer=_unless_stamped(Run),
    ),
    _place(r"progress/<run>\.json", load_progress),
    _place(
        r"outcomes/<run>\.json",
        load_outcome,
        says=lambda one: {"run": one.run} if one.run else {},
        doubt=_doubt_outcome,
        doubt_newer=_doubt_newer_outcome,
    ),
    _place(r"superseded/<run>\.json"),
    _place(r"claims/<model>/<version>", load_claim, doubt_newer=_unless_stamped(Claim, always=True)),
    _place(
        r"golden/<model>/<digest>\.json",
        load_golden,
        says=lambda pin: {"model": pin.model, "digest": pin.place},
        doubt=lambda pin, _, bucket: "" if is_stamped(pin, bucket) else why_unstamped(GoldenSet),
        doubt_newer=_unless_stamped(GoldenSet, always=True),
    ),
    _place(
        rf"models/<model>/<version>/{re.escape(MANIFEST)}",
        load_manifest,
        "model",
        "version",
        doubt=_doubt_manifest,
        doubt_newer=_doubt_newer_version,
    ),
    _place(rf"models/<model>/<version>/{re.escape(ATTESTATION)}", load_attestation),
    _place(rf"models/<model>/<version>/(?P<file>{_FILE})"),
    _place(r"removing/<model>/<version>\.json", load_manifest, "model", "version"),
    _place(
        r"rollouts/<model>/<version>/(?P<number>\d{6,9})\.json",
        load_step,
        says=_says_step,
        doubt=_doubt_step,
        doubt_newer=_doubt_newer_step,
    ),
    _place(
        r"evidence/<model>/<version>/(?P<name>[-.\w]{1,63}\.\d{16})\.json",
        load_report,
        says=_says_report,
        doubt=lambda report, _, bucket: _doubt_stamp(report, bucket),
        doubt_newer=_unless_stamped(Report),
    ),
    _place(
        r"labels/<model>/<version>/(?P<name>[-.\w]{1,63}\.\d{16})\.json",
        load_labels,
        says=_says_labels,
        doubt=lambda labels, _, bucket: _doubt_stamp(labels, bucket),
        doubt_newer=_unless_stamped(Labels),
    ),
    _place(r"probe\.json", load_probe),
    _place(r"survey\.json", load_survey),
    _place(r"uploads/<model>/[^/\x00-\x1f\x7f]+"),
    _place(r"probes/[^/]+/.+"),
    _place(r"dead-letters/<letter>/death-[0-9a-f]{20}\.json", load_death),
    _place(r"dead-letters/<letter>/replay-\d{6,}\.json", load_resend),
    _place(r"replays/<letter>\.\d{6,}\.json", load_resend),
)
KNOWN = {one.key.pattern.partition("/")[0] for one in _PLACES}


def place_of(key: str) -> tuple[RecordPlace | None, re.Match[str] | None]:
    """The place of a key, and its parts; None and None, if no place has such keys."""
    for place in _PLACES:
        if match := place.key.fullmatch(key):
            return place, match
    return None, None
