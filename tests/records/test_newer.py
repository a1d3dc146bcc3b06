"""Wherever a record of a newer schema lies, who looks for it learns which knoll reads it."""

import importlib
import inspect
import json
import pkgutil
from collections.abc import Callable
from typing import Any

import pytest

import knoll.records
from knoll.adapters.memory.store import MemoryStore
from knoll.errors import KnollError
from knoll.ports import Bucket
from knoll.records.checksums import checksums_uri, known_checksums
from knoll.records.claim import Claim, claim_uri, find_claim, write_claim
from knoll.records.dataset import dataset_uri, find_dataset, find_newest_dataset, find_snapshot
from knoll.records.dead_letter import find_letter_object, list_letter_objects
from knoll.records.evidence import find_report, find_reports
from knoll.records.golden import find_golden, golden_uri
from knoll.records.inbox import copy_entry_to_record, find_entry, inbox_uri
from knoll.records.labels import find_labels
from knoll.records.late_cause import find_late_cause, late_cause_uri
from knoll.records.letter_room import find_refusals, refusals_uri
from knoll.records.manifest import find_manifest, find_sealed, manifest_uri
from knoll.records.outcome import find_outcome, outcome_uri
from knoll.records.probe import find_probe, probe_uri
from knoll.records.progress import find_progress, progress_uri
from knoll.records.recorded import find_recorded
from knoll.records.rollout import find_champion, find_last_step, rollout_step_uri
from knoll.records.run import find_run, run_uri
from knoll.records.samples import find_samples, samples_uri
from knoll.records.survey import find_survey, survey_uri

ROOT, RUN, VERSION, DIGEST = "s3://m", "digits-0123456789abcdef0123", "v000001", "a" * 64
NEWER = json.dumps({"schema": 2, "needs": "9.1.0"}).encode()
DATASET, STEP = dataset_uri(ROOT, "digits", DIGEST), rollout_step_uri(ROOT, "digits", VERSION, 1)
ENTRY = inbox_uri(ROOT, RUN, "2026-01-01T00:00:00+00:00")
REPORT = f"{ROOT}/evidence/digits/{VERSION}/pod.0000000000000003.json"
LABELS = f"{ROOT}/labels/digits/{VERSION}/pod.0000000000000003.json"
RECORDED = f"{ROOT}/recorded/digits/{VERSION}/00000000001.0123456789abcdef.json"
DEATH = f"{ROOT}/dead-letters/{'0' * 20}/death-{'0' * 20}.json"

Find = Callable[[Bucket], Any]
# who looks, where, and how
FINDERS: dict[str, tuple[str, Find]] = {
    "find_claim": (claim_uri(ROOT, "digits", VERSION), lambda bucket: find_claim("digits", VERSION, bucket)),
    "find_dataset": (DATASET, lambda bucket: find_dataset(DATASET, bucket)),
    "find_entry": (ENTRY, lambda bucket: find_entry(ENTRY, bucket)),
    "copy_entry_to_record": (ENTRY, lambda bucket: copy_entry_to_record(ENTRY, bucket)),
    "find_golden": (
        golden_uri(ROOT, "digits", "s3://g/"),
        lambda bucket: find_golden("digits", "s3://g/", bucket),
    ),
    "find_labels": (LABELS, lambda bucket: find_labels("digits", VERSION, bucket)),
    "find_champion": (STEP, lambda bucket: find_champion("digits", bucket)),
    "find_last_step": (STEP, lambda bucket: find_last_step("digits", VERSION, bucket)),
    "find_letter_object": (
        DEATH,
        lambda bucket: [find_letter_object(one, bucket) for one in list_letter_objects(bucket, "0" * 20)],
    ),
    "find_manifest": (
        manifest_uri(ROOT, "digits", VERSION),
        lambda bucket: find_manifest("digits", VERSION, bucket),
    ),
    "find_sealed": (
        manifest_uri(ROOT, "digits", VERSION),
        lambda bucket: find_sealed("digits", VERSION, bucket),
    ),
    "find_outcome": (outcome_uri(ROOT, RUN), lambda bucket: find_outcome(RUN, bucket)),
    "find_probe": (probe_uri(ROOT), find_probe),
    "find_report": (REPORT, lambda bucket: find_report("digits", VERSION, "pod", bucket)),
    "find_reports": (REPORT, lambda bucket: find_reports("digits", VERSION, bucket)),
    "find_run": (run_uri(ROOT, RUN), lambda bucket: find_run(RUN, bucket)),
    "find_samples": (
        samples_uri(ROOT, "digits", VERSION),
        lambda bucket: find_samples("digits", VERSION, bucket),
    ),
}
# what is written anew, or only shown, so that nobody can stop a model with it: hints, caches, and copies of
# the data's state
WRITTEN_ANEW: dict[str, tuple[str, Find]] = {
    "known_checksums": (
        checksums_uri(ROOT, "digits"),
        lambda bucket: known_checksums("digits", bucket),
    ),
    "find_late_cause": (late_cause_uri(ROOT, RUN), lambda bucket: find_late_cause(RUN, bucket)),
    "find_newest_dataset": (DATASET, lambda bucket: find_newest_dataset("digits", bucket)),
    "find_progress": (progress_uri(ROOT, RUN), lambda bucket: find_progress(RUN, bucket)),
    "find_recorded": (RECORDED, lambda bucket: find_recorded(RECORDED, bucket)),
    "find_refusals": (refusals_uri(ROOT), find_refusals),
    "find_snapshot": (DATASET, lambda bucket: find_snapshot("digits", DIGEST, bucket)),
    "find_survey": (survey_uri(ROOT), find_survey),
}
# they get a reader or a pin from those above, look at all places at once, or read text
_GENERAL = {"find_hint", "find_known", "find_stamped", "find_strays", "find_pinned_samples", "find_run_logs"}


def bucket_with(uri: str) -> Bucket:
    """A bucket with a newer record there; the version is claimed, else its steps would not count."""
    bucket = Bucket(MemoryStore(), ROOT)
    write_claim("digits", VERSION, Claim(RUN), bucket)
    bucket.store.put(uri, NEWER)
    return bucket


def test_everybody_who_looks_for_a_record_is_tried() -> None:
    modules = [
        importlib.import_module(f"knoll.records.{one.name}")
        for one in pkgutil.iter_modules(knoll.records.__path__)
    ]
    public = {
        name
        for module in modules
        for name in getattr(module, "__all__", ())
        if name.startswith("find_") and inspect.isfunction(getattr(module, name))
    }
    assert public - {*FINDERS, *WRITTEN_ANEW} == _GENERAL


@pytest.mark.parametrize("name", FINDERS)
def test_who_looks_for_a_newer_record_learns_which_knoll_to_use(name: str) -> None:
    uri, look = FINDERS[name]
    try:
        said = look(bucket_with(uri)).reason  # an outcome that cannot be read is one that failed
    except KnollError as error:
        said = f"{error}: {error.fix}"
    assert "has schema 2, and knoll" in said
    assert said.endswith("use knoll 9.1.0 or a newer one")


@pytest.mark.parametrize("name", WRITTEN_ANEW)
def test_what_is_written_anew_is_as_if_it_were_not_there(name: str) -> None:
    uri, look = WRITTEN_ANEW[name]
    assert not look(bucket_with(uri))
