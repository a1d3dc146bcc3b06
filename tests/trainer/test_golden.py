"""Whoever writes the data does not write the exam: the golden set is pinned, read before learning, and
decides beside the held-out examples."""

import hashlib
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from knoll.adapters.memory.platform import memory_platform
from knoll.adapters.memory.store import MemoryStore
from knoll.exits import REJECTED
from knoll.families.image.family import ImageClassifier
from knoll.families.pictures import to_png
from knoll.models import parse_model
from knoll.ports import Bucket
from knoll.records.golden import (
    GoldenScore,
    GoldenSet,
    find_golden,
    golden_digest,
    golden_uri,
    pin_golden,
)
from knoll.records.manifest import Manifest, load_manifest
from knoll.records.outcome import Outcome, load_outcome, outcome_uri
from knoll.records.run import Run, load_run, run_uri
from knoll.rollout.candidates import examine_version
from knoll.rollout.slot import Slot
from knoll.trainer.publish import publish
from knoll.trainer.run import train
from support.keys import private_key, signer_of
from trainer.cheap import serve_nothing
from trainer.test_trainer import PREFIX, ROOT, RUN, World, world

EXAM = "s3://exams/digits/"
NEXT = "digits-next"
BLACK = to_png(np.zeros((8, 8), np.uint8))
Files = Mapping[str, bytes]


@pytest.fixture(scope="module")
def some(digits: dict[str, bytes]) -> dict[str, bytes]:
    """Sixty pictures of each of two classes."""
    return {key: body for label in "01" for key, body in [*of(digits, label).items()][:60]}


@pytest.fixture(scope="module")
def exam(digits: dict[str, bytes]) -> dict[str, bytes]:
    """Thirty others."""
    return {key: body for label in "01" for key, body in [*of(digits, label).items()][60:90]}


@pytest.fixture
def asked(some: dict[str, bytes], tmp_path: Path) -> Callable[..., World]:
    """A function that makes a run with these files as golden set."""

    def make(golden: Files, data: Files | None = None, golden_set: str = EXAM, memory: str = "2Gi") -> World:
        config: dict[str, object] = {"epochs": 3, "batchSize": 16, "width": 4}
        ready = world(tmp_path, dict(some if data is None else data), config, {"memory": memory})
        for key, body in golden.items():
            ready.store.put(golden_set + key, body)
        add_run(ready, RUN, golden_set)
        return ready

    return make


class Killed(Exception):
    pass


def _die(*_: object) -> None:
    raise Killed


def of(files: Files, label: str) -> Files:
    return {key: body for key, body in files.items() if key.startswith(f"{label}/")}


def flipped(files: Files) -> dict[str, bytes]:
    """Each picture in the folder of the other class."""
    return {f"{1 - int(key[0])}{key[1:]}": body for key, body in files.items()}


def add_run(ready: World, id: str, golden_set: str) -> None:
    old = load_run(ready.store.get(run_uri(ROOT, RUN))).fields()
    run = Run(**{**old, "id": id, "golden_set": golden_set, "prefix": PREFIX})
    ready.store.put(run_uri(ROOT, id), run.encode())


def outcome(ready: World, run: str) -> Outcome:
    return load_outcome(ready.store.get(outcome_uri(ROOT, run)))


def declared(golden_set: str = EXAM) -> dict[str, object]:
    gate = {"metric": "accuracy", "atLeast": 0.8, "goldenSet": golden_set}
    spec = {"family": "image-classifier", "dataset": {"uri": PREFIX}, "gate": gate}
    metadata = {"name": "digits"}
    return {"apiVersion": "knoll.dev/v1alpha1", "kind": "Model", "metadata": metadata, "spec": spec}


def test_poisoned_data_passes_its_own_exam_and_fails_the_golden_one(
    asked: Callable[..., World], some: Files, exam: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All labels are flipped, those of the held-out examples, too. Both scores are in the manifest, in the
    outcome and on the card, and the gate refuses the version."""
    monkeypatch.setattr("knoll.trainer.served_files.export_graph", serve_nothing)
    monkeypatch.setattr(ImageClassifier, "final_pictures", lambda *_: {})
    ready = asked(exam, flipped(some))
    assert train(RUN, ready.platform) == 0
    files = ready.version()
    made = load_manifest(files["manifest.json"])
    assert made.golden is not None
    assert (made.golden.uri, made.golden.count) == (EXAM, 60)
    assert made.metrics["accuracy"] > 0.8
    assert made.golden.metrics["accuracy"] < 0.2
    assert ready.outcome().golden == made.golden.metrics
    assert made.golden.digest in files["README.md"].decode()
    model = parse_model(declared())
    refused = examine_version(model, Slot(), "v000001", ready.platform).fault
    assert re.fullmatch(r"accuracy on the golden set is 0\.\d+, the gate asks for at least 0\.8", refused), (
        refused
    )
    pin = find_golden("digits", EXAM, ready.platform.bucket)
    assert pin is not None
    assert (pin.digest, pin.files, pin.run) == (made.golden.digest, 60, RUN)
    assert (ready.outcome().golden_set, ready.outcome().golden_digest) == (EXAM, pin.digest)
    ready.store.put(golden_uri(ROOT, "digits", EXAM), b"garbage")
    assert examine_version(model, Slot(), "v000001", ready.platform).fault == refused
    other = GoldenSet("digits", EXAM, "0" * 64, 1, 1, "x", "now")
    ready.store.put(golden_uri(ROOT, "digits", EXAM), other.encode())
    assert "and 000000000000 is pinned" in examine_version(model, Slot(), "v000001", ready.platform).fault


def test_a_golden_set_that_changed_rejects_the_run_until_its_uri_changes(
    asked: Callable[..., World], exam: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason has both digests and the way on. The same bytes, written again, are no change."""
    learnt: list[bool] = []

    def die(*_: object) -> None:
        learnt.append(True)
        raise Killed

    monkeypatch.setattr("knoll.trainer.learning._fit", die)
    ready = asked(exam)
    with pytest.raises(Killed):
        train(RUN, ready.platform)  # which pins it, and is killed while it learns
    first = find_golden("digits", EXAM, ready.platform.bucket)
    for key, body in exam.items():
        ready.store.put(EXAM + key, body)
    with pytest.raises(Killed):
        train(RUN, ready.platform)
    for key, body in zip(exam, reversed(list(exam.values())), strict=True):
        ready.store.put(EXAM + key, body)
        ready.store.put(f"s3://exams/second/{key}", body)
    learnt.clear()
    assert train(RUN, ready.platform) == REJECTED
    reason = ready.outcome().reason
    digests = re.findall(r"[0-9a-f]{64}", reason)
    assert first is not None
    assert (len({*digests}), digests[1]) == (2, first.digest)
    assert "name that in spec.gate.goldenSet, and apply the Model" in reason
    assert not learnt
    add_run(ready, NEXT, "s3://exams/second/")
    with pytest.raises(Killed):
        train(NEXT, ready.platform)
    second = find_golden("digits", "s3://exams/second/", ready.platform.bucket)
    assert second is not None
    assert second.digest == digests[0]
    assert find_golden("digits", EXAM, ready.platform.bucket) == first


SIGNED = {"sign_key": private_key(), "verify_key": signer_of().public.pem}


def signing(ready: World) -> World:
    """The same on a platform that believes only what is signed."""
    settings = ready.platform.settings.model_copy(update=SIGNED)
    return replace(ready, platform=replace(ready.platform, settings=settings))


def score_first(ready: World, exam: str) -> None:
    """A signed version that was scored on the golden set when it had that digest."""

    def draft(version: str) -> tuple[Files, Manifest]:
        score = GoldenScore(EXAM, exam, 60, {"accuracy": 1.0})
        return {}, Manifest("digits", version, "f", NEXT, "d", {}, {}, "now", "0", {}, golden=score)

    publish("digits", NEXT, draft, ready.platform.bucket, signer_of())


@pytest.mark.parametrize("spoilt", [b"garbage", b'{"schema": 99, "needs": "9.9"}', "forged"])
def test_a_spoilt_pin_is_named_and_written_over(
    asked: Callable[..., World],
    exam: Files,
    spoilt: bytes | str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("knoll.trainer.learning._fit", _die)
    ready, place = signing(asked(exam)), golden_uri(ROOT, "digits", EXAM)
    forged = GoldenSet("digits", EXAM, "0" * 64, 1, 1, "x", "now").encode()
    ready.store.put(place, spoilt if isinstance(spoilt, bytes) else forged)
    with pytest.raises(Killed):
        train(RUN, ready.platform)
    assert capsys.readouterr().out.count(f"ignored: {place}") == 1
    pin = find_golden("digits", EXAM, ready.platform.bucket)
    assert pin is not None
    assert (pin.files, pin.run) == (60, RUN)


@pytest.mark.parametrize("pin", ["deleted", "rewritten", b"garbage"])
def test_an_exchanged_golden_set_is_refused_whatever_has_become_of_its_pin(
    asked: Callable[..., World], exam: Files, pin: bytes | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The versions that were scored on it say how it was."""
    monkeypatch.setattr("knoll.trainer.learning._fit", _die)
    ready, place = signing(asked(flipped(exam))), golden_uri(ROOT, "digits", EXAM)
    digests = {key: hashlib.sha256(body).hexdigest() for key, body in exam.items()}
    before = golden_digest(digests)
    after = golden_digest({f"{1 - int(key[0])}{key[1:]}": sha256 for key, sha256 in digests.items()})
    score_first(ready, before)
    if pin != "deleted":
        forged = GoldenSet("digits", EXAM, after, 60, 1, "x", "now").encode()
        ready.store.put(place, pin if isinstance(pin, bytes) else forged)
    assert train(RUN, ready.platform) == REJECTED
    told = f"it has 60 files with digest {after}, and v000001 was scored on files with digest {before}"
    assert told in ready.outcome().reason


@pytest.mark.parametrize(
    ("golden", "place", "told"),
    [
        ({}, EXAM, "the golden set s3://exams/digits/: there are no files: upload it to a new prefix"),
        ({"7/a.png": BLACK}, EXAM, "it has the classes 7, which the data lacks"),
        ({"0/a.png": b"\x89PNG\r\n\x1a\n and then nothing"}, EXAM, "0/a.png"),
        ({"0/a.txt": b""}, EXAM, "0/a.txt: it is not a picture"),
        ({"a.png": BLACK}, EXAM, "a.png: it lies in no folder"),
        ({".hidden/0/a.png": b""}, EXAM, "there are no files"),
        ({}, f"{PREFIX}0/", "it overlaps the data, s3://datasets/digits/"),
        ({}, f"{ROOT}/datasets/", "it lies in the model bucket"),
    ],
)
def test_a_golden_set_that_cannot_be_used_is_told_before_learning_and_not_pinned(
    asked: Callable[..., World], golden: Files, place: str, told: str
) -> None:
    ready = asked(golden, golden_set=place)
    assert train(RUN, ready.platform) == REJECTED
    assert told in ready.outcome().reason
    assert find_golden("digits", place, ready.platform.bucket) is None


def test_its_memory_counts_before_it_is_read(asked: Callable[..., World], exam: Files) -> None:
    ready = asked({**exam, "0/large.png": bytes(40 * 2**20)}, memory="350Mi")
    assert train(RUN, ready.platform) == REJECTED
    assert "for the data and the golden set, and may take 350Mi" in ready.outcome().reason
    assert ready.outcome().lacked_memory


def test_of_two_runs_that_pin_at_once_one_wins() -> None:
    bucket = memory_platform(store=MemoryStore()).bucket
    pins = [GoldenSet("digits", EXAM, str(number), 1, 1, RUN, "now") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda pin: pin_golden(pin, Bucket(bucket.store, bucket.root)).digest, pins))
    assert len(found) == 1
