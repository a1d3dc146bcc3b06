"""A run, from its record to its outcome, in every way that it can end."""

import io
import json
import re
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import Mock

import pytest
import yaml
from PIL import Image

from knoll.adapters.clock import SystemClock
from knoll.adapters.cluster_local import LocalCluster
from knoll.adapters.memory.events import MemoryEvents
from knoll.adapters.memory.store import MemoryStore
from knoll.adapters.predictors_http import HttpPredictors
from knoll.codecs import decode, encode
from knoll.errors import ClusterUnavailable
from knoll.events import TRAINING_FAILED, TRAINING_PROGRESSED, TRAINING_STARTED, TRAINING_SUCCEEDED, Event
from knoll.exits import REJECTED
from knoll.families.image.family import ImageClassifier
from knoll.ports import Platform
from knoll.records.curves import load_curves
from knoll.records.dataset import Dataset, DatasetObject, dataset_uri
from knoll.records.manifest import load_manifest, verify, version_uri
from knoll.records.outcome import Outcome, load_outcome, outcome_uri, superseded_uri
from knoll.records.progress import load_progress, progress_uri
from knoll.records.run import Run, run_uri
from knoll.records.signature import load_signature
from knoll.settings import Settings
from knoll.trainer.card import model_card
from knoll.trainer.card_facts import CardFacts
from knoll.trainer.graph import run_graph
from knoll.trainer.learning import threads_for
from knoll.trainer.run import train
from support.documented import undocumented

ROOT = "s3://knoll-models"
PREFIX = "s3://datasets/digits/"
RUN = "digits-0123456789"
CAUSE = {
    "id": "put-1",
    "type": "com.amazonaws.s3.ObjectCreated:Put",
    "subject": "_SUCCESS",
    "time": "",
    "correlationid": "put-1",
}


@dataclass(frozen=True)
class World:
    platform: Platform
    store: MemoryStore
    events: MemoryEvents

    def told(self, kind: str) -> list[Event]:
        return [event for event in self.events.taken if event.type == kind]

    def outcome(self) -> Outcome:
        return load_outcome(self.store.get(outcome_uri(ROOT, RUN)))

    def version(self) -> dict[str, bytes]:
        folder = version_uri(ROOT, "digits", "v000001")
        return {info.uri.removeprefix(folder): self.store.get(info.uri) for info in self.store.list(folder)}


def world(
    home: Path,
    files: dict[str, bytes],
    config: dict[str, object] | None = None,
    resources: dict[str, object] | None = None,
) -> World:
    """A run that waits to be trained on these files."""
    store, events, clock = MemoryStore(), MemoryEvents(), SystemClock()
    for key, body in files.items():
        store.put(PREFIX + key, body)
    dataset = Dataset(
        "digits", PREFIX, tuple(DatasetObject(one.uri, one.etag, one.size) for one in store.list(PREFIX))
    )
    snapshot = dataset_uri(ROOT, "digits", dataset.digest)
    config = {"epochs": 3, "batchSize": 32, "width": 8} if config is None else config
    run = Run(
        RUN,
        "digits",
        "image-classifier",
        dataset.digest,
        snapshot,
        config,
        clock.now().isoformat(),
        resources=resources or {},
        cause=CAUSE,
    )
    store.put(snapshot, dataset.encode())
    store.put(run_uri(ROOT, RUN), run.encode())
    cluster = LocalCluster(home / "knoll.db", "default", clock)
    return World(
        Platform(store, cluster, events, HttpPredictors(), clock, Settings(home=home)), store, events
    )


@pytest.fixture(scope="module")
def some(digits: dict[str, bytes]) -> dict[str, bytes]:
    return {key: body for key, body in digits.items() if key[0] in "012"}


@pytest.fixture(scope="module")
def trained(some: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> World:
    ready = world(tmp_path_factory.mktemp("home"), some)
    assert train(RUN, ready.platform) == 0
    return ready


def test_the_version_is_whole_and_its_samples_answer_as_they_say(trained: World) -> None:
    """Every byte is in the manifest, and the served graph with the predictor's own codec gives each sample's
    prediction."""
    files = trained.version()
    manifest = load_manifest(files.pop("manifest.json"))
    verify(manifest, files)
    assert manifest.metrics["accuracy"] > 0.9
    assert manifest.config["epochs"] == 3
    assert {"model.safetensors", "model.onnx", "confusion_matrix.png"} <= set(files)
    signature, samples = load_signature(files["signature.json"]), json.loads(files["samples.json"])["samples"]
    inputs = decode([sample["instance"] for sample in samples], signature)
    (output,) = run_graph(files["model.onnx"], [inputs["image"]])
    answers = encode({"probabilities": output}, signature)
    assert {answer["label"] for answer in answers} == {"0", "1", "2"}
    for answer, sample in zip(answers, samples, strict=True):
        assert answer["label"] == sample["prediction"]["label"]
        assert answer["probabilities"] == pytest.approx(sample["prediction"]["probabilities"], abs=1e-4)
    right = [sample["target"] == sample["prediction"]["label"] for sample in samples]
    assert sum(right) / len(right) == pytest.approx(manifest.metrics["accuracy"], abs=0.1)


def test_the_card_can_be_read_by_the_hub(trained: World) -> None:
    """Its front matter is YAML with the metrics in the hub's form."""
    _, front, text = trained.version()["README.md"].decode().split("---\n", 2)
    card = yaml.safe_load(front)
    names = {metric["type"] for metric in card["model-index"][0]["results"][0]["metrics"]}
    assert card["pipeline_tag"] == "image-classification"
    assert names == {"accuracy", "loss", "macro_f1"}
    assert "digits v000001" in text
    assert "![confusion_matrix.png](confusion_matrix.png)" in text
    assert "naive baseline | better is" in text
    assert "| 0     | " in text


def test_the_version_has_the_curves_of_its_training(trained: World) -> None:
    """As JSON and as a picture, to which the card points once."""
    files = trained.version()
    curves = load_curves(files["curves.json"])
    assert [point.epoch for point in curves.points] == [1] * 4 + [2] * 4 + [3] * 4
    assert curves.points[-1].step == curves.steps
    assert set(curves.points[-1].metrics) == {"accuracy", "loss", "macro_f1"}
    assert curves.resumed == ()
    with Image.open(io.BytesIO(files["curves.png"])) as picture:
        assert picture.size == (800, 5 * 240)  # losses, three metrics, rates
    card = files["README.md"].decode()
    assert f"{curves.steps} steps. [`curves.json`](curves.json) has 12 points of it" in card
    assert card.count("![curves.png](curves.png)") == 1


def test_what_cannot_be_drawn_or_written_is_left_out_and_named(
    some: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Neither a milestone, nor the pictures at the end, nor the card takes a finished training with it. Log
    and card say what is missing, and nothing in the message of a library becomes markup."""
    cards: list[str] = []

    def fail(*_: object) -> None:
        raise MemoryError("no room <b>\x1b[31m")

    def write_and_fail(facts: CardFacts, version: str, say: Callable[[str], None]) -> str:
        cards.append(model_card(facts, version, say))
        raise ValueError("no card")

    monkeypatch.setattr(ImageClassifier, "milestone_picture", fail)
    monkeypatch.setattr(ImageClassifier, "final_pictures", fail)
    monkeypatch.setattr(ImageClassifier, "baseline", fail)
    monkeypatch.setattr(ImageClassifier, "class_counts", fail)
    monkeypatch.setattr("knoll.trainer.version_files.column_facts", fail)
    monkeypatch.setattr("knoll.trainer.version_files.draw_curves", fail)
    monkeypatch.setattr("knoll.trainer.version_files.model_card", write_and_fail)
    ready = world(tmp_path, some, {"epochs": 1})
    assert train(RUN, ready.platform) == 0
    assert set(ready.version()) == {
        *("manifest.json", "model.onnx", "model.safetensors", "samples.json", "signature.json", "curves.json")
    }
    assert "](curves.png)" not in cards[0]
    log = capsys.readouterr().out
    for what in (
        "the picture of step 1",
        "the picture of the held-out examples",
        "the picture of the curves",
        "the naive baseline",
        "the numbers of examples of each class",
        "the ranges of the data",
    ):
        assert f"{what} is left out: MemoryError: no room <b>\\x1b[31m" in log
        assert f"- {what} is left out: MemoryError: no room \\<b\\>\\\\x1b\\[31m" in cards[0]
    assert "the model card is left out: ValueError: no card" in log


@pytest.mark.parametrize(
    ("config", "memory", "words"),
    [
        (
            {"imageWidth": 256, "imageHeight": 256},
            "1Gi",
            r"of it for a step of \d+ examples, and may take 1Gi",
        ),
        ({}, "320Mi", r"at least .* for the files of the dataset, and may take 320Mi"),
    ],
)
def test_a_training_that_does_not_fit_is_rejected_before_it_learns(
    some: dict[str, bytes], tmp_path: Path, config: dict[str, object], memory: str, words: str
) -> None:
    """With the number, the limit and the setting that helps: for the files, and for the step."""
    ready = world(tmp_path, some, config, {"memory": memory})
    assert train(RUN, ready.platform) == REJECTED
    assert re.search(words, ready.outcome().reason)
    assert "spec.training.resources.memory" in ready.outcome().reason


def test_memory_that_runs_out_rejects_the_run(
    some: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another try would end in the same way. Other faults of libraries stay faults of knoll."""

    def fail(*_: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr(ImageClassifier, "augment", fail)
    ready = world(tmp_path, some)
    assert train(RUN, ready.platform) == REJECTED
    told = "ran out of memory: it asked for 2Gi, and its last request was for 9 bytes; raise"
    assert told in ready.outcome().reason


def test_the_events_name_the_run_and_its_cause(trained: World) -> None:
    """Started, progressed, succeeded with version and metrics, each with the upload's correlation id; the
    last progress is 100 %, in the record and in its event."""
    (succeeded,) = trained.told(TRAINING_SUCCEEDED)
    outcome = trained.outcome()
    assert trained.events.taken[0].type == TRAINING_STARTED
    assert trained.events.taken[-1] == succeeded
    progressed = trained.told(TRAINING_PROGRESSED)
    assert progressed[0].data["state"] == "reading"
    assert (progressed[-1].data["state"], progressed[-1].data["progressPercentage"]) == ("published", 100)
    assert {event.extensions["correlationid"] for event in trained.events.taken} == {"put-1"}
    assert succeeded.data == {
        "runId": RUN,
        "model": "digits",
        "version": "v000001",
        "uri": version_uri(ROOT, "digits", "v000001"),
        "metrics": dict(outcome.metrics),
    }
    assert undocumented(trained.events.taken) == set()
    assert (outcome.state, outcome.version) == ("succeeded", "v000001")
    assert load_progress(trained.store.get(progress_uri(ROOT, RUN))).progress_percentage == 100


def test_a_run_that_has_ended_is_not_trained_again(
    trained: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second attempt has the exit code of the first, says so, and writes nothing."""
    before, told = list(trained.store.list(ROOT + "/")), len(trained.events.taken)
    assert train(RUN, trained.platform) == 0
    assert "has ended already" in capsys.readouterr().out
    assert list(trained.store.list(ROOT + "/")) == before
    assert len(trained.events.taken) == told


def test_a_terminated_run_can_be_started_again_and_ends_with_the_same_bytes(
    trained: World, some: dict[str, bytes], tmp_path: Path
) -> None:
    """SIGTERM gives 143 and no outcome. The next attempt makes the same version as an undisturbed run."""
    ready = world(tmp_path, some)
    ready.events.before = lambda event: (
        signal.raise_signal(signal.SIGTERM) if event.type == TRAINING_STARTED else None
    )
    before = signal.getsignal(signal.SIGTERM)
    assert train(RUN, ready.platform) == 143
    assert signal.getsignal(signal.SIGTERM) == before
    assert not list(ready.store.list(outcome_uri(ROOT, RUN)))
    ready.events.before = lambda event: None
    assert train(RUN, ready.platform) == 0
    again, undisturbed = ready.version(), trained.version()
    assert again.pop("manifest.json") != undisturbed.pop("manifest.json")
    assert again == undisturbed


def test_a_corrupt_file_rejects_the_run_by_name_even_when_no_broker_listens(
    some: dict[str, bytes], tmp_path: Path
) -> None:
    """The outcome names the file, there is no version, and a refused event changes nothing."""

    refused: list[str] = []

    def refuse(event: Event) -> None:
        refused.append(event.type)
        raise ClusterUnavailable(f"no broker takes {event.type}")

    ready = world(tmp_path, {**some, "1/broken.png": b"\x89PNG\r\n\x1a\n and then nothing"})
    ready.events.before = refuse
    assert train(RUN, ready.platform) == 65
    assert ready.outcome().state == "rejected"
    assert "1/broken.png" in ready.outcome().reason
    assert not ready.version()
    assert refused[-1] == TRAINING_FAILED


def test_data_that_changed_since_it_landed_fails_the_run(some: dict[str, bytes], tmp_path: Path) -> None:
    """A run trains on the data of its snapshot, or not at all."""
    ready = world(tmp_path, some)
    key = sorted(some)[0]
    ready.store.put(PREFIX + key, b"other bytes")
    assert train(RUN, ready.platform) == 65
    assert ready.outcome().state == "failed"
    assert "the data changed" in ready.outcome().reason
    assert key in ready.outcome().reason
    assert ready.outcome().superseded  # so that the same data has another run when it comes back
    assert list(ready.store.list(superseded_uri(ROOT, RUN)))


def test_a_config_that_the_family_does_not_know_rejects_the_run(
    some: dict[str, bytes], tmp_path: Path
) -> None:
    """The reason says which field."""
    ready = world(tmp_path, some, {"epoch": 3})
    assert train(RUN, ready.platform) == 65
    assert "spec.training.config.epoch" in ready.outcome().reason


def test_the_record_of_a_run_is_read_once(
    some: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = world(tmp_path, some, {"epoch": 3})
    get = Mock(wraps=ready.store.get)
    monkeypatch.setattr(ready.store, "get", get)
    assert train(RUN, ready.platform) == 65
    assert [one.args[0] for one in get.call_args_list].count(run_uri(ROOT, RUN)) == 1


def test_a_run_without_a_record_is_tried_again_later(tmp_path: Path) -> None:
    """The record may not be visible yet: 75, and no outcome."""
    ready = world(tmp_path, {})
    assert train("digits-unknown", ready.platform) == 75
    assert not list(ready.store.list(ROOT + "/outcomes/"))


@pytest.mark.parametrize(("cpu", "threads"), [(None, 1), (4, 4), ("2", 2), ("500m", 1), ("2500m", 2)])
def test_threads_are_the_cores_that_the_job_asks_for(cpu: object, threads: int) -> None:
    """A container that may use one core does not start a thread per core of its node."""
    assert threads_for({} if cpu is None else {"cpu": cpu}) == threads
