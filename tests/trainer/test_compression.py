"""Compressed graphs: how each is made, when one is served, and that none ends a finished training."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from knoll.errors import Rejected
from knoll.families.base import less, more
from knoll.families.image.family import ImageClassifier
from knoll.predict.graph import Graph, warm_up
from knoll.predict.loading import fetch_version
from knoll.records.compression import COMPRESSION, Compression, TriedGraph, load_compression
from knoll.records.manifest import GRAPH, Manifest, load_manifest, verify, version_uri
from knoll.records.run import load_run, run_uri
from knoll.trainer.compression import graphs, trial
from knoll.trainer.compression.graphs import computes_fp16
from knoll.trainer.compression.verdict import choose, quality_lost, why_not
from knoll.trainer.race import Race, race
from knoll.trainer.run import train
from trainer.test_trainer import ROOT, RUN, World, world

CONFIG: dict[str, object] = {"epochs": 8, "batchSize": 16, "width": 8}
ALL = {"candidates": ["fp16", "int8", "int8-weights"], "maxLoss": 0.1}


@pytest.fixture(scope="module")
def some(digits: dict[str, bytes]) -> dict[str, bytes]:
    return dict([one for one in digits.items() if one[0][0] in "01"][::3])


def asked(home: Path, files: dict[str, bytes], compression: dict[str, Any]) -> World:
    """A run that asks for these graphs."""
    made = world(home, files, CONFIG)
    run = load_run(made.store.get(run_uri(ROOT, RUN)))
    made.store.put(run_uri(ROOT, RUN), replace(run, compression=compression).encode())
    return made


def fixed(ratio: float) -> Callable[..., Race]:
    """A race that the other graph takes so much of the time for."""
    return lambda *_: Race((1.0,) * 15, (ratio,) * 15)


def made_version(ready: World) -> tuple[Manifest, Compression, dict[str, bytes]]:
    assert train(RUN, ready.platform) == 0
    files = ready.version()
    manifest = load_manifest(files.pop("manifest.json"))
    verify(manifest, files)
    return manifest, load_compression(files[COMPRESSION]), files


@pytest.fixture(scope="module")
def compressed(
    some: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> tuple[World, Manifest, Compression, dict[str, bytes]]:
    """A version whose int8 graph has won, on a machine that computes in fp16."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graphs, "computes_fp16", lambda *_: True)
        ratios = iter((0.9, 0.5, 0.97))  # fp16, int8, int8-weights
        patch.setattr(trial, "race", lambda *_: fixed(next(ratios))())
        ready = asked(tmp_path_factory.mktemp("home"), some, ALL)
        return ready, *made_version(ready)


def test_the_fastest_graph_that_keeps_the_quality_is_served(
    compressed: tuple[World, Manifest, Compression, dict[str, bytes]],
) -> None:
    """All graphs are in the record, the losers too, each with its reason; metrics, slices and samples are
    those of the served graph; and the predictor answers with it."""
    ready, manifest, record, files = compressed
    rows = {one.name: one for one in record.graphs}
    assert [*rows] == ["fp32", "fp16", "int8", "int8-weights"]
    assert record.served == "int8"
    assert rows["fp16"].why == "int8 is faster"
    assert "not clearly faster: the ratio of times is below 0.97" in rows["int8-weights"].why
    sizes = {name: one.size or 0 for name, one in rows.items()}
    assert sizes["int8"] == len(files[GRAPH]) < 0.4 * sizes["fp32"]
    assert sizes["fp16"] < 0.6 * sizes["fp32"]
    assert sizes["int8-weights"] < sizes["fp32"]
    assert manifest.metrics["accuracy"] == rows["int8"].quality
    assert set(manifest.slices["recall"]) == {"0", "1"}
    assert record.calibrated_on > 16
    assert manifest.parity["probabilities"] < 1e-4
    folder = version_uri(ROOT, "digits", "v000001")
    version = fetch_version(ready.store, folder, "digits")
    assert version.tolerance == 0.02
    warm_up(Graph(version, threads=1), version)


def test_the_progress_and_the_card_say_what_is_tried(
    compressed: tuple[World, Manifest, Compression, dict[str, bytes]],
) -> None:
    ready, _, _, files = compressed
    card = files["README.md"].decode()
    assert "The graph in [`model.onnx`](model.onnx) is `int8`." in card
    assert "| int8-weights |" in card
    assert "those of the network that was trained" in card
    told = {one.data["state"] for one in ready.told("dev.knoll.training.progressed")}
    assert told  # events come every 5 s at most, so not each state is told


def test_a_predictor_needs_no_torch_for_a_compressed_graph(
    compressed: tuple[World, Manifest, Compression, dict[str, bytes]], tmp_path: Path
) -> None:
    files = compressed[3]
    (tmp_path / GRAPH).write_bytes(files[GRAPH])
    script = (
        "import sys; import knoll.predict.graph, onnxruntime; "
        f"onnxruntime.InferenceSession({str(tmp_path / GRAPH)!r}, providers=['CPUExecutionProvider']); "
        "assert 'torch' not in sys.modules and 'onnx' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_what_cannot_be_made_is_left_out_and_the_training_succeeds(
    some: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One maker fails, one graph loses too much quality, and the exported graph is served with the scores of
    its network. The race is a real one."""

    def fails(_: object) -> bytes:
        raise RuntimeError("the library has a fault")

    def wrong(subject: Any) -> bytes:
        model = onnx.load_model_from_string(subject.graph)
        for one in model.graph.initializer:
            if one.name.endswith("bias"):
                one.CopyFrom(
                    onnx.numpy_helper.from_array(np.arange(one.dims[0], dtype=np.float32) * 9, one.name)
                )
        body: bytes = model.SerializeToString()
        return body

    monkeypatch.setattr(graphs, "computes_fp16", lambda *_: False)
    monkeypatch.setattr(trial, "MAKERS", {**trial.MAKERS, "int8": fails, "int8-weights": wrong})
    manifest, record, files = made_version(asked(tmp_path, some, {**ALL, "maxLoss": 0.01}))
    rows = {one.name: one for one in record.graphs}
    assert record.served == "fp32"
    assert rows["int8"].why == "left out: RuntimeError: the library has a fault"
    assert rows["fp16"].why.startswith("left out: this CPU does not compute in fp16")
    assert rows["fp16"].size is rows["int8"].latency_ms is None
    assert "of quality, and may lose 1.00%" in rows["int8-weights"].why
    assert 0 < (rows["int8-weights"].latency_ms or 0) < 1000
    assert rows["fp32"].quality == pytest.approx(manifest.metrics["accuracy"])
    assert "left out: RuntimeError" in files["README.md"].decode()


def test_a_fault_of_the_whole_compression_is_named_on_the_card(
    some: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a family that scores no graphs. A Model that asks for no graph has no such file."""

    def refuses(*_: object) -> None:
        raise Rejected("this family does not score graphs")

    monkeypatch.setattr(ImageClassifier, "score_served", refuses)
    ready = asked(tmp_path, some, ALL)
    assert train(RUN, ready.platform) == 0
    files = ready.version()
    assert COMPRESSION not in files
    assert "the compression is left out: Rejected: this family does not score graphs" in (
        files["README.md"].decode()
    )


def test_fp16_is_tried_only_where_the_cpu_computes_in_it() -> None:
    assert computes_fp16("aarch64", "Features : fp asimd asimdhp cpuid")
    assert not computes_fp16("aarch64", "Features : fp asimd cpuid")
    assert not computes_fp16("x86_64", "flags : fpu avx2 avx512f")


@pytest.mark.parametrize(
    ("metric", "before", "after", "lost"),
    [
        (more("accuracy", 0, 1), 0.95, 0.94, 0.01),
        (more("accuracy", 0, 1), 0.95, 0.96, -0.01),
        (more("score", 0, 10), 5, 4, 0.1),
        (less("frechet_pixels", 0), 2.0, 2.1, 0.05),
        (less("frechet_pixels", 0), 2.0, 1.9, -0.05),
        (less("loss", 0), 0.0, 0.0, 0.0),
        (less("loss", 0), 0.0, 0.1, float("inf")),
    ],
)
def test_the_loss_is_a_share_of_the_range_or_of_the_value(
    metric: Any, before: float, after: float, lost: float
) -> None:
    """A metric without a range, as that of a GAN, is held against the exported graph's."""
    assert quality_lost(metric, before, after) == pytest.approx(lost)


def test_a_graph_is_served_only_within_the_loss_and_below_the_time() -> None:
    assert why_not(0.01, 0.01, 0.94) == ""
    assert why_not(0.011, 0.01, 0.5) == "it loses 1.10% of quality, and may lose 1.00%"
    assert why_not(float("nan"), 0.01, 0.5)
    assert "not clearly faster" in why_not(0.0, 0.01, 0.95)
    slow, fast = TriedGraph("slow", "", ratio=0.9), TriedGraph("fast", "", ratio=0.4)
    assert choose([slow, fast, TriedGraph("bad", "it loses", ratio=0.1)]) == "fast"
    assert choose([TriedGraph("bad", "it loses", ratio=0.1)]) == "fp32"


def raced(costs: Callable[[int], float]) -> Race:
    """A race by a clock that each run moves: 1 for the plain graph, and for the other one what `costs` gives
    for each of its runs."""
    now, numbers = [0.0], count()

    def plain() -> None:
        now[0] += 1.0

    def other() -> None:
        now[0] += costs(next(numbers))

    return race(plain, other, clock=lambda: now[0])


def test_a_few_slow_rounds_do_not_decide_a_race() -> None:
    """Of 15 rounds three may be slow; a fourth one leaves it open."""
    assert raced(lambda _: 0.5).ratio == pytest.approx(0.5)
    few = raced(lambda number: 50.0 if number in (5, 9, 13) else 0.5)
    more_slow = raced(lambda number: 50.0 if number in (5, 7, 9, 13) else 0.5)
    assert (few.bound, more_slow.bound) == (0.5, 50.0)
    assert more_slow.ratio == 0.5
