"""A trainer for schedules: it does to the world what the real one does, with the same code, and learns
nothing.

Each object of the data says whether its dataset is good, shifted (it answers with another label), poor (the
gate refuses it), broken (its version cannot be served) or unreadable.
"""

import json
from collections.abc import Mapping
from hashlib import md5

from knoll.errors import Rejected, Unavailable
from knoll.events import TRAINING_STARTED
from knoll.exits import REJECTED, UNAVAILABLE
from knoll.ports import Platform
from knoll.records.manifest import Manifest, entry_of
from knoll.records.outcome import Outcome, find_outcome
from knoll.records.run import Run, load_run, run_uri
from knoll.trainer.ending import end_run
from knoll.trainer.launch import exit_code
from knoll.trainer.publish import Draft, publish
from knoll.trainer.reading import DataChanged
from knoll.trainer.report import publish_event
from support.data import read_data

__all__ = ["WEIGHTS", "label", "quality", "train"]

WEIGHTS = "model.safetensors"
_WORST_FIRST = ("unreadable", "broken", "poor", "shifted")


def train(run_id: str, platform: Platform, attempt: int) -> int:
    """Carry out the run; the exit code, as the real trainer gives it. Two attempts may come to the same
    weights, or not."""
    try:
        outcome = find_outcome(run_id, platform.bucket)
        if outcome is not None:
            return exit_code(outcome)
        run = load_run(platform.store.get(run_uri(platform.settings.model_root, run_id)))
        publish_event(TRAINING_STARTED, run, {}, platform)
        return end_run(run, _attempt(run, platform, attempt), platform)
    except Unavailable:
        return UNAVAILABLE
    except Rejected:
        return REJECTED


def quality(bodies: Mapping[str, bytes]) -> str:
    """The quality of a dataset: the worst of its objects."""
    found = {body.split(b"-")[0].decode() for body in bodies.values()}
    return next((one for one in _WORST_FIRST if one in found), "good")


def label(weights: bytes) -> str:
    """What a version with these weights answers; also if they are spoilt, as long as it runs."""
    return "4" if b'"shifted"' in weights else "3"


def _attempt(run: Run, platform: Platform, attempt: int) -> Outcome:
    try:
        bodies = read_data(run, platform)
    except DataChanged as error:
        return Outcome("failed", platform.clock.now().isoformat(), reason=str(error), superseded=True)
    if quality(bodies) == "unreadable":
        return Outcome("rejected", platform.clock.now().isoformat(), reason="unreadable")
    draft = _draft(run, bodies, attempt, platform.clock.now().isoformat())
    made = publish(run.model, run.id, draft, platform.bucket)
    at, one = platform.clock.now().isoformat(), made.manifest
    return Outcome("succeeded", at, one.version, metrics=one.metrics, manifest_sha256=made.sha256)


def _draft(run: Run, bodies: Mapping[str, bytes], attempt: int, at: str) -> Draft:
    read = sorted(md5(body, usedforsecurity=False).hexdigest() for body in bodies.values())
    weights = json.dumps(
        {"attempt": attempt // 2, "quality": quality(bodies), "read": read}, sort_keys=True
    ).encode()
    samples = json.dumps([{"instance": 1, "prediction": {"label": label(weights)}}]).encode()
    files = {WEIGHTS: weights, "samples.json": samples}
    metrics = {"accuracy": 0.5 if quality(bodies) == "poor" else 0.95}

    def draft(version: str) -> tuple[Mapping[str, bytes], Manifest]:
        entries = {name: entry_of(body) for name, body in files.items()}
        return files, Manifest(
            run.model, version, run.family, run.id, run.dataset_digest, {}, metrics, at, "0", entries
        )

    return draft
