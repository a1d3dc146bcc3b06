"""All kinds of records: where each lies, and who reads it."""

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import knoll.records
from knoll.adapters.memory.store import MemoryStore
from knoll.ports import Bucket
from knoll.records.attestation import Attestation, load_attestation
from knoll.records.checkpoint import Checkpoint, load_checkpoint
from knoll.records.checksums import load_checksums
from knoll.records.claim import Claim, load_claim
from knoll.records.compression import Compression, load_compression
from knoll.records.curves import Curves, load_curves
from knoll.records.dataset import Dataset, load_dataset
from knoll.records.dead_letter import DeathRecord, Resend, load_death, load_resend
from knoll.records.evidence import Report, load_report
from knoll.records.golden import GoldenSet, load_golden
from knoll.records.inbox import find_entry
from knoll.records.labels import Labels, load_labels
from knoll.records.late_cause import LateCause, load_late_cause
from knoll.records.letter_room import Refusals, load_refusals
from knoll.records.manifest import Manifest, load_manifest
from knoll.records.outcome import Outcome, load_outcome
from knoll.records.probe import Probe, find_probe, probe_uri
from knoll.records.progress import Progress, load_progress
from knoll.records.record import Record
from knoll.records.recorded import RecordedRequest, load_recorded
from knoll.records.rollout import RolloutStep, load_step
from knoll.records.run import Run, load_run
from knoll.records.samples import Samples, load_samples
from knoll.records.signature import Signature, load_signature
from knoll.records.survey import Survey, load_survey

__all__ = ["GOLDEN", "KINDS", "ROOT", "STORED", "Kind", "golden_bucket", "kind_of", "record_classes"]

GOLDEN = Path(__file__).parent / "golden"
ROOT = "s3://knoll-models"
STORED = {"replica": "instance", "resend": "replay"}  # fields that have another name in JSON


@dataclass(frozen=True)
class Kind:
    """One kind: the class of its records, the keys at which they lie, how one is read, and an object that
    has the least that a record of this kind may have."""

    name: str
    record: str
    key: str
    read: Callable[[bytes], Any]
    least: dict[str, Any]


def _found(uri: str, find: Callable[[Bucket], Any]) -> Callable[[bytes], Any]:
    """A reader for a kind that is read only at its place."""

    def read(body: bytes) -> Any:
        store = MemoryStore()
        store.put(uri, body)
        return find(Bucket(store, ROOT))

    return read


def _checksums(body: bytes) -> Any:
    return {(uri, etag): sha256 for uri, etag, sha256 in load_checksums(body).sha256}


_ENTRY = f"{ROOT}/inbox/entry.json"
_RUN = {
    "id": "digits-0123456789abcdef0123",
    "model": "digits",
    "family": "image-classifier",
    "dataset_digest": "d",
    "dataset_uri": "s3://d/d.json",
    "config": {"epochs": 1},
    "created_at": "2026-01-01T00:00:00+00:00",
}
_STEP = {
    "model": "digits",
    "rollout": "v000001",
    "version": "v000001",
    "number": 1,
    "action": "Start",
    "at": "2026-01-01T00:00:00+00:00",
    "percent": 5,
    "reason": "the gate is passed",
}
_MANIFEST = {
    "model": "digits",
    "version": "v000001",
    "family": "image-classifier",
    "run": "digits-0123456789abcdef0123",
    "dataset_digest": "d",
    "config": {},
    "metrics": {"accuracy": 1.0},
    "created_at": "2026-01-01T00:00:00+00:00",
    "code_version": "0.1.0",
    "files": {"model.onnx": {"size": 1, "sha256": "0"}},
}
_MANIFEST_KEY = r"models/[^/]+/v\d+/manifest\.json|removing/[^/]+/v\d+\.json"
_ATTESTATION = {"payload": "e30=", "payloadType": "t", "signatures": [{"keyid": "k", "sig": "cw=="}]}
_OBJECT = {"uri": "s3://data/beans/0", "etag": "e", "size": 1}
_GOLDEN_SET = {
    "model": "digits",
    "uri": "s3://exams/digits/",
    "digest": "d",
    "files": 1,
    "size": 1,
    "run": "digits-0123456789abcdef0123",
    "pinned_at": "2026-01-01T00:00:00+00:00",
}
_TENSOR = {"name": "image", "datatype": "FP32", "shape": [-1, 1]}
_PROGRESS = {
    "state": "training",
    "progress_percentage": 1,
    "estimated_remaining_seconds": None,
    "metrics": {"loss": 0.5},
    "updated_at": "2026-01-01T00:00:00+00:00",
}
_CHECKPOINT = {
    "run": "digits-0123456789abcdef0123",
    "step": 420,
    "of_steps": 1000,
    "attempt": 1,
    "processes": 1,
    "written_at": "2026-01-01T00:00:00+00:00",
    "files": {"state.json": {"size": 1, "sha256": "0"}},
}
_REPORT = {"model": "digits", "version": "v000001", "instance": "pod-1", "requests": 3, "errors": 1}
_LABELS = {
    "model": "digits",
    "version": "v000001",
    "instance": "pod-1",
    "by": "v000001",
    "windows": [[60, 2, 1]],
}
_RECORDED = {
    "model": "digits",
    "version": "v000001",
    "id": "0123456789abcdef",
    "at": 1767225600,
    "body": "{}",
}
_REFUSALS = {
    "count": 1,
    "since": "2026-01-01T00:00:00+00:00",
    "last": "2026-01-01T00:00:00+00:00",
    "source": "/noisy",
    "reason": "full",
}
_LATE_CAUSE = {"run": "digits-0123456789abcdef0123", "cause": {"id": "e-1"}}
_RESEND = {"number": 1, "at": "2026-01-01T00:00:00+00:00", "by": "ada", "cures": ["death-0"]}

KINDS = (
    Kind("run", Run.__name__, r"runs/[^/]+\.json", load_run, _RUN),
    Kind(
        "inbox entry",
        Run.__name__,
        r"inbox/[^/]+\.json",
        _found(_ENTRY, lambda bucket: find_entry(_ENTRY, bucket)),
        _RUN,
    ),
    Kind(
        "outcome",
        Outcome.__name__,
        r"outcomes/[^/]+\.json",
        load_outcome,
        {"state": "failed", "ended_at": "2026-01-01T00:00:00+00:00"},
    ),
    Kind(
        "checkpoint",
        Checkpoint.__name__,
        r"checkpoints/[^/]+/\d{9}/checkpoint\.json",
        load_checkpoint,
        _CHECKPOINT,
    ),
    Kind("progress", Progress.__name__, r"progress/[^/]+\.json", load_progress, _PROGRESS),
    Kind(
        "dataset",
        Dataset.__name__,
        r"datasets/[^/]+/[^/]+\.json",
        load_dataset,
        {"model": "beans", "prefix": "s3://data/beans/", "objects": [_OBJECT]},
    ),
    Kind("late cause", LateCause.__name__, r"causes/[^/]+\.json", load_late_cause, _LATE_CAUSE),
    Kind("claim", Claim.__name__, r"claims/[^/]+/v\d+", load_claim, {"run": "digits-0123456789abcdef0123"}),
    Kind("pin of a golden set", GoldenSet.__name__, r"golden/[^/]+/[^/]+\.json", load_golden, _GOLDEN_SET),
    Kind("checksums", "_Checksums", r"checksums/[^/]+\.json", _checksums, {"sha256": [["u", "e", "s"]]}),
    Kind(
        "probe",
        Probe.__name__,
        r"probe\.json",
        _found(probe_uri(ROOT), find_probe),
        {"conditionalWrites": "atomic"},
    ),
    Kind(
        "survey",
        Survey.__name__,
        r"survey\.json",
        load_survey,
        {"at": "2026-01-01T00:00:00+00:00"},
    ),
    Kind("manifest", Manifest.__name__, _MANIFEST_KEY, load_manifest, _MANIFEST),
    Kind(
        "attestation",
        Attestation.__name__,
        r"models/[^/]+/v\d+/attestation\.json",
        load_attestation,
        _ATTESTATION,
    ),
    Kind(
        "signature",
        Signature.__name__,
        r"models/[^/]+/v\d+/signature\.json",
        load_signature,
        {"inputs": [_TENSOR], "outputs": [_TENSOR]},
    ),
    Kind(
        "samples",
        Samples.__name__,
        r"models/[^/]+/v\d+/samples\.json",
        load_samples,
        {"samples": [{"instance": {"b64": ""}}]},
    ),
    Kind(
        "list of curves",
        Curves.__name__,
        r"models/[^/]+/v\d+/curves\.json",
        load_curves,
        {"steps": 36, "held_out": 72, "points": [{"step": 36, "epoch": 3, "train": {"classifier": 0.5}}]},
    ),
    Kind(
        "list of tried graphs",
        Compression.__name__,
        r"models/[^/]+/v\d+/compression\.json",
        load_compression,
        {"metric": "accuracy", "max_loss": 0.01, "served": "fp32", "graphs": [{"name": "fp32", "why": "it"}]},
    ),
    Kind("rollout step", RolloutStep.__name__, r"rollouts/[^/]+/[^/]+/\d+\.json", load_step, _STEP),
    Kind(
        "death",
        DeathRecord.__name__,
        r"dead-letters/[^/]+/death-[^/]+\.json",
        load_death,
        {"at": "2026-01-01T00:00:00+00:00"},
    ),
    Kind("refusals", Refusals.__name__, r"dead-letters/refused\.json", load_refusals, _REFUSALS),
    Kind("resend", Resend.__name__, r"(dead-letters/[^/]+/replay-|replays/).*\.json", load_resend, _RESEND),
    Kind("report", Report.__name__, r"evidence/[^/]+/[^/]+/[^/]+\.json", load_report, _REPORT),
    Kind("count of labels", Labels.__name__, r"labels/[^/]+/[^/]+/[^/]+\.json", load_labels, _LABELS),
    Kind(
        "recorded request",
        RecordedRequest.__name__,
        r"recorded/[^/]+/[^/]+/[^/]+\.json",
        load_recorded,
        _RECORDED,
    ),
)


def kind_of(key: str) -> Kind | None:
    """The kind of record that lies at a key of the model bucket; None for what is no such record."""
    return next((kind for kind in KINDS if re.fullmatch(kind.key, key)), None)


def record_classes() -> set[str]:
    """The names of all classes of records that knoll has."""
    for module in pkgutil.iter_modules(knoll.records.__path__):
        importlib.import_module(f"knoll.records.{module.name}")
    return {kind.__name__ for kind in _below(Record) if not kind.__subclasses__()}


def golden_bucket(release: str) -> Bucket:
    """The model bucket as that release left it."""
    store, place = MemoryStore(), GOLDEN / release / "bucket"
    for file in sorted(place.rglob("*")):
        if file.is_file():
            store.put(f"{ROOT}/{file.relative_to(place).as_posix()}", file.read_bytes())
    return Bucket(store, ROOT)


def _below(kind: type[Record]) -> Iterator[type[Record]]:
    for one in kind.__subclasses__():
        if one.__module__.startswith("knoll."):
            yield one
        yield from _below(one)
