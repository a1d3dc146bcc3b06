"""The champion is scored on the held-out examples of the version that may replace it."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from knoll.families.base import Scores, Slices
from knoll.families.image.family import ImageClassifier
from knoll.records.champion_score import ChampionScore
from knoll.records.manifest import (
    ATTESTATION,
    CARD,
    GRAPH,
    WEIGHTS,
    Manifest,
    entry_of,
    load_manifest,
    manifest_uri,
    version_uri,
)
from knoll.records.rollout import RolloutStep, write_step
from knoll.records.run import load_run, run_uri
from knoll.trainer.run import train
from support.keys import private_key, signer_of
from trainer.cheap import serve_nothing
from trainer.test_trainer import ROOT, RUN, World, world

CONFIG: dict[str, object] = {"epochs": 2, "batchSize": 32, "width": 4}
NOW = "2026-01-01T00:00:00+00:00"


@pytest.fixture(scope="module")
def some(digits: dict[str, bytes]) -> dict[str, bytes]:
    return dict([one for one in digits.items() if one[0][0] in "01"][::3])


def with_keys(made: World) -> World:
    keys = {"sign_key": private_key(1), "verify_key": signer_of(1).public.pem}
    platform = made.platform
    return replace(made, platform=replace(platform, settings=platform.settings.model_copy(update=keys)))


@pytest.fixture
def served(
    some: dict[str, bytes], champion: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> World:
    """A run to train, and a champion of the same data, the only one that can be served."""
    monkeypatch.setattr("knoll.trainer.served_files.export_graph", serve_nothing)
    made = with_keys(world(tmp_path, some, {**CONFIG, "seed": 2}))
    for name, body in champion.items():
        made.store.put(version_uri(ROOT, "digits", "v000001") + name, body)
    made.store.put(f"{ROOT}/claims/digits/v000001", b'{"run": "digits-another"}')
    write_step(
        RolloutStep("digits", "v000001", "v000001", 1, "Promote", NOW, 100, "", champion="v000001"),
        made.platform.bucket,
    )
    return made


@pytest.fixture(scope="module")
def champion(some: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    made = with_keys(world(tmp_path_factory.mktemp("champion"), some, CONFIG))
    assert train(RUN, made.platform) == 0
    return made.version()


def scored(made: World) -> tuple[Manifest, ChampionScore | None]:
    assert train(RUN, made.platform) == 0
    version = load_manifest(made.store.get(manifest_uri(ROOT, "digits", "v000002")))
    return version, version.champion


def test_the_champion_has_the_scores_that_it_has_got_itself_on_the_same_examples(
    served: World, champion: dict[str, bytes]
) -> None:
    """They stand in the model card, too, beside the bounds of the gate."""
    run = load_run(served.store.get(run_uri(ROOT, RUN)))
    gate = {"metric": "accuracy", "atLeast": 0.01, "maxRegression": 1.0}
    asked = replace(run, gate=gate, card={"license": "mit"})
    served.store.put(run_uri(ROOT, RUN), asked.encode())
    version, found = scored(served)
    before = load_manifest(champion["manifest.json"])
    assert found is not None
    assert (found.version, found.manifest_sha256) == ("v000001", entry_of(champion["manifest.json"]).sha256)
    assert found.metrics == pytest.approx(before.metrics, abs=1e-5)
    assert found.slices == before.slices
    assert set(version.slices["recall"]) == {"0", "1"}
    assert before.champion is None
    card = served.store.get(version_uri(ROOT, "digits", "v000002") + CARD).decode()
    values = version.metrics["accuracy"], before.metrics["accuracy"], 0.01
    told = r"\s+\| ".join(re.escape(f"{one:.4g}") for one in values)
    assert re.search(rf"(?m)^\| accuracy\s+\| {told}\s+\| 1\s+\| passes\s+\|$", card), card
    assert "\nlicense: mit\n" in card
    assert "| champion v000001 |" in card


def test_a_champion_that_is_not_what_was_trained_is_not_scored(
    served: World, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = version_uri(ROOT, "digits", "v000001")
    body = served.store.get(folder + GRAPH)
    served.store.put(folder + GRAPH, body[:-1] + bytes([body[-1] ^ 1]))
    assert scored(served)[1] is None
    log = capsys.readouterr().out
    assert "champion v000001 is not scored on this data" in log
    assert "model.onnx has other bytes" in log


def test_a_champion_that_nobody_has_signed_is_not_scored(
    served: World, capsys: pytest.CaptureFixture[str]
) -> None:
    served.store.delete(version_uri(ROOT, "digits", "v000001") + ATTESTATION)
    assert scored(served)[1] is None
    assert "champion v000001 is not scored on this data" in capsys.readouterr().out


def test_a_champion_of_other_pictures_or_of_another_family_is_not_scored(
    served: World, capsys: pytest.CaptureFixture[str]
) -> None:
    run = load_run(served.store.get(run_uri(ROOT, RUN)))
    larger = {**run.config, "imageWidth": 10, "imageHeight": 10}
    served.store.put(run_uri(ROOT, RUN), replace(run, config=larger).encode())
    assert scored(served)[1] is None
    assert "its pictures have another size or mode" in capsys.readouterr().out
    assert WEIGHTS in served.version()


def test_a_champion_whose_graph_fails_ends_no_finished_training(
    served: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parts of the examples are scored without gradients, which would keep all activations."""
    score_slices, had_gradients = ImageClassifier.score_slices, list[bool]()

    def fails(*_: object) -> Scores:
        raise RuntimeError("the runtime cannot run it")

    def watched(*given: Any) -> Slices:
        had_gradients.append(torch.is_grad_enabled())
        return score_slices(*given)

    monkeypatch.setattr(ImageClassifier, "score_served", fails)
    monkeypatch.setattr(ImageClassifier, "score_slices", watched)
    assert scored(served)[1] is None
    assert "the runtime cannot run it" in capsys.readouterr().out
    assert had_gradients == [False]
