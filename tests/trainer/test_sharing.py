"""Whether a version shares runs is measured in the Job, and its manifest says it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from knoll.records.manifest import load_manifest
from knoll.records.signature import Signature, Tensor
from knoll.trainer import served_files, sharing
from knoll.trainer.race import Race
from knoll.trainer.run import train
from trainer.test_trainer import RUN, world

SIGNATURE = Signature((Tensor("x", "FP32", (-1, 2)),), (Tensor("y", "FP32", (-1, 2)),))


class Double:
    """The runs of a graph in the place of a session, each of which seems to take so many seconds of CPU."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.spent, self.sizes = seconds, 0.0, list[int]()

    def open(self, body: bytes, *, threads: int) -> Any:
        def run(inputs: list[Any]) -> list[Any]:
            self.spent += self.seconds
            self.sizes.append(len(inputs[0]))
            return [inputs[0] * 2]

        return run

    def process_time(self) -> float:
        return self.spent


def decide(seconds: float, ratio: float, monkeypatch: pytest.MonkeyPatch) -> tuple[bool, Double]:
    graph = Double(seconds)

    def race(plain: Any, other: Any, clock: Any) -> Race:
        plain()
        other()
        return Race((1.0,) * 15, (ratio,) * 15)

    monkeypatch.setattr(sharing, "open_graph", graph.open)
    monkeypatch.setattr(sharing, "race", race)
    monkeypatch.setattr("knoll.trainer.sharing.time.process_time", graph.process_time)
    samples = [np.ones((3, 2), np.float32)]
    return sharing.shares_runs(b"", SIGNATURE, samples, 1, lambda _: None), graph


@pytest.mark.parametrize(("ratio", "is_shared"), [(0.5, True), (0.94, True), (0.95, False), (1.8, False)])
def test_runs_are_shared_if_that_is_clearly_cheaper(
    ratio: float, is_shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ways answer as many requests of one example, from several threads."""
    found, graph = decide(0.001, ratio, monkeypatch)
    assert found is is_shared
    assert sum(graph.sizes) == 2 + 8 + 8


def test_a_graph_that_takes_long_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    found, graph = decide(0.021, 0.1, monkeypatch)
    assert not found
    assert graph.sizes == [1, 1]


@pytest.mark.parametrize("fails", [False, True])
def test_the_manifest_says_it_and_a_failed_measurement_costs_no_training(
    fails: bool, tmp_path: Path, digits: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(*_: object) -> bool:
        if fails:
            raise MemoryError
        return True

    monkeypatch.setattr(served_files, "shares_runs", measured)
    few = dict([one for one in digits.items() if one[0][0] in "01"][::6])
    made = world(tmp_path, few, {"epochs": 1, "batchSize": 16, "width": 4})
    assert train(RUN, made.platform) == 0
    files = made.version()
    assert load_manifest(files["manifest.json"]).shares_runs is not fails
    assert ("shared runs" in files["README.md"].decode()) is fails
