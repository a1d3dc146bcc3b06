"""The places of the model bucket: which keys the records of each kind have, and how one is judged."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from knoll.names import DIGEST, MODEL_NAME, RUN_ID, VERSION_NAME
from knoll.ports import Bucket
from knoll.records.attestation import load_attestation
from knoll.records.checkpoint import AFTER_STEP, CHECKPOINT, STATE, TENSORS, load_checkpoint, step_name
from knoll.records.checksums import load_checksums
from knoll.records.claim import Claim, load_claim
from knoll.records.dataset import load_dataset
from knoll.records.dead_letter import DEATH_NAME, LETTER_ID, RESEND_NAME, WISH_NAME, load_death, load_resend
from knoll.records.doubts import (
    Facts,
    doubt_hint,
    doubt_late_cause,
    doubt_manifest,
    doubt_newer_entry,
    doubt_newer_hint,
    doubt_newer_outcome,
    doubt_newer_step,
    doubt_newer_version,
    doubt_outcome,
    doubt_removal,
    doubt_run,
    doubt_snapshot,
    doubt_stamp,
    doubt_step,
    unless_stamped,
)
from knoll.records.evidence import Report, load_report
from knoll.records.golden import GoldenSet, load_golden
from knoll.records.inbox import ENTRY_NAME
from knoll.records.labels import Labels, load_labels
from knoll.records.late_cause import load_late_cause
from knoll.records.letter_room import SOURCE_NAME, load_refusals
from knoll.records.manifest import ATTESTATION, MANIFEST, load_manifest
from knoll.records.outcome import load_outcome
from knoll.records.probe import TRIED_NAME, load_probe
from knoll.records.progress import load_progress
from knoll.records.record import Record, reader
from knoll.records.recorded import RECORDED_NAME, RecordedRequest, load_recorded, recorded_name
from knoll.records.rising import COUNTED_NAME
from knoll.records.rollout import STEP_NAME, load_step
from knoll.records.run import Run, load_run
from knoll.records.run_log import LOG_NAME
from knoll.records.stamp import is_stamped, why_unstamped
from knoll.records.survey import load_survey
from knoll.records.upload import SIGN

__all__ = ["KNOWN", "Facts", "RecordPlace", "place_of"]

_MODEL = rf"(?P<model>{MODEL_NAME.pattern})"
_VERSION = rf"(?P<version>{VERSION_NAME.pattern})"
_RUN = rf"(?P<run>{RUN_ID.pattern})"
_DIGEST = rf"(?P<digest>{DIGEST.pattern})"
_LETTER = rf"(?P<letter>{LETTER_ID})"
_FILE = r"[^/\x00-\x1f\x7f]+(/[^/\x00-\x1f\x7f]+)*"


@dataclass(frozen=True)
class RecordPlace:
    """The keys of one kind of record. `load` reads it; with None, any bytes are right. The named groups of
    `key` are its parts, and `says` gives those that the record repeats: they must agree. `doubt` says why a
    record that was read cannot be true, and `doubt_newer` why bytes that claim to be of a newer knoll cannot
    be; "" if they may be."""

    key: re.Pattern[str]
    load: Callable[[bytes], Any] | None = None
    says: Callable[[Any], Facts] = lambda _: {}
    doubt: Callable[[Any, Facts, Bucket], str] = lambda *_: ""
    doubt_newer: Callable[[bytes, Facts, Bucket], str] = lambda *_: ""


def _place(key: str, load: Callable[[bytes], Any] | None = None, *names: str, **more: Any) -> RecordPlace:
    """The place for that key, whose record repeats the parts of these names."""

    def says(record: Any) -> Facts:
        return {name: str(getattr(record, name)) for name in names}

    return RecordPlace(re.compile(key, re.ASCII), load, **{"says": says, **more})


def _says_step(step: Any) -> Facts:
    return {"model": step.model, "version": step.rollout, "number": f"{step.number:06d}"}


def _says_report(one: Any) -> Facts:
    name = f"{one.replica}.{one.requests:016d}"
    return {"model": one.model, "version": one.version, "name": name}


def _says_labels(one: Labels) -> Facts:
    name = f"{one.replica}.{one.answers:016d}"
    return {"model": one.model, "version": one.version, "name": name}


def _says_recorded(one: RecordedRequest) -> Facts:
    return {"model": one.model, "version": one.version, "name": recorded_name(one)}


_PLACES = (
    _place(
        rf"datasets/{_MODEL}/{_DIGEST}\.json", load_dataset, "model", "digest", doubt_newer=doubt_snapshot
    ),
    _place(rf"checksums/{_MODEL}\.json", load_checksums, doubt_newer=doubt_newer_hint),
    _place(
        rf"inbox/{ENTRY_NAME}\.json",
        load_run,
        says=lambda run: {"run": run.id, "owner": run.model},
        doubt=doubt_run,
        doubt_newer=doubt_newer_entry,
    ),
    _place(
        rf"runs/{_RUN}\.json",
        load_run,
        says=lambda run: {"run": run.id, "owner": run.model},
        doubt=doubt_run,
        doubt_newer=unless_stamped(Run),
    ),
    _place(
        rf"causes/{_RUN}\.json",
        load_late_cause,
        "run",
        doubt=doubt_late_cause,
        doubt_newer=doubt_newer_hint,
    ),
    _place(
        rf"checkpoints/{_RUN}/(?P<step>{AFTER_STEP})/{re.escape(CHECKPOINT)}",
        load_checkpoint,
        says=lambda one: {"run": one.run, "step": step_name(one.step)},
        doubt=doubt_hint,
        doubt_newer=doubt_newer_hint,
    ),
    _place(rf"checkpoints/{_RUN}/{AFTER_STEP}/({re.escape(STATE)}|{re.escape(TENSORS)})"),
    _place(rf"logs/{_RUN}/{LOG_NAME}\.log"),
    _place(rf"progress/{_RUN}\.json", load_progress, doubt=doubt_hint, doubt_newer=doubt_newer_hint),
    _place(
        rf"outcomes/{_RUN}\.json",
        load_outcome,
        says=lambda one: {"run": one.run} if one.run else {},
        doubt=doubt_outcome,
        doubt_newer=doubt_newer_outcome,
    ),
    _place(rf"superseded/{_RUN}\.json", reader(Record, "hint"), doubt=doubt_hint),
    _place(rf"claims/{_MODEL}/{_VERSION}", load_claim, doubt_newer=unless_stamped(Claim, always=True)),
    _place(
        rf"golden/{_MODEL}/{_DIGEST}\.json",
        load_golden,
        says=lambda pin: {"model": pin.model, "digest": pin.place},
        doubt=lambda pin, _, bucket: "" if is_stamped(pin, bucket) else why_unstamped(GoldenSet),
        doubt_newer=unless_stamped(GoldenSet, always=True),
    ),
    _place(
        rf"models/{_MODEL}/{_VERSION}/{re.escape(MANIFEST)}",
        load_manifest,
        "model",
        "version",
        doubt=doubt_manifest,
        doubt_newer=doubt_newer_version,
    ),
    _place(rf"models/{_MODEL}/{_VERSION}/{re.escape(ATTESTATION)}", load_attestation),
    _place(rf"models/{_MODEL}/{_VERSION}/(?P<file>{_FILE})"),
    _place(rf"removing/{_MODEL}/{_VERSION}\.json", load_manifest, "model", "version", doubt=doubt_removal),
    _place(
        rf"rollouts/{_MODEL}/{_VERSION}/{STEP_NAME}\.json",
        load_step,
        says=_says_step,
        doubt=doubt_step,
        doubt_newer=doubt_newer_step,
    ),
    _place(
        rf"evidence/{_MODEL}/{_VERSION}/(?P<name>{COUNTED_NAME})\.json",
        load_report,
        says=_says_report,
        doubt=doubt_stamp,
        doubt_newer=unless_stamped(Report),
    ),
    _place(
        rf"labels/{_MODEL}/{_VERSION}/(?P<name>{COUNTED_NAME})\.json",
        load_labels,
        says=_says_labels,
        doubt=doubt_stamp,
        doubt_newer=unless_stamped(Labels),
    ),
    _place(
        rf"recorded/{_MODEL}/{_VERSION}/(?P<name>{RECORDED_NAME})\.json",
        load_recorded,
        says=_says_recorded,
        doubt=doubt_stamp,
        doubt_newer=unless_stamped(RecordedRequest),
    ),
    _place(r"probe\.json", load_probe),
    _place(r"survey\.json", load_survey, doubt_newer=doubt_newer_hint),
    _place(rf"uploads/{_MODEL}/{SIGN.pattern}"),
    _place(rf"probes/{TRIED_NAME}"),
    _place(rf"dead-letters/{_LETTER}/{DEATH_NAME}\.json", load_death),
    _place(rf"dead-letters/{_LETTER}/{RESEND_NAME}\.json", load_resend),
    _place(rf"dead-letters/{_LETTER}/{SOURCE_NAME}"),
    _place(r"dead-letters/refused\.json", load_refusals, doubt_newer=doubt_newer_hint),
    _place(rf"replays/{WISH_NAME}\.json", load_resend),
)
KNOWN = {one.key.pattern.partition("/")[0] for one in _PLACES}


def place_of(key: str) -> tuple[RecordPlace | None, re.Match[str] | None]:
    """The place of a key, and its parts; None and None, if no place has such keys."""
    for place in _PLACES:
        if match := place.key.fullmatch(key):
            return place, match
    return None, None
