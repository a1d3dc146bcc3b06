"""A family can be small: one class, with one line in `FAMILIES`, is trained, exported and served."""

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import Field
from torch import nn

from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.cluster import MemoryCluster
from knoll.adapters.memory.events import MemoryEvents
from knoll.adapters.memory.store import MemoryStore
from knoll.adapters.predictors_http import HttpPredictors
from knoll.errors import InvalidData
from knoll.exits import REJECTED, SUCCEEDED
from knoll.families import FAMILIES
from knoll.families.base import Batch, Examples, Family, FamilyConfig, Files, device_of, split_examples
from knoll.ports import Platform
from knoll.predict.graph import Graph, warm_up
from knoll.predict.loading import fetch_version
from knoll.records.dataset import Dataset, DatasetObject, write_dataset
from knoll.records.manifest import version_uri
from knoll.records.run import Run, write_run
from knoll.settings import Settings
from knoll.trainer.run import train


class MeanConfig(FamilyConfig):
    """The fields of every family, and `column`."""

    column: str = Field(description="Name of the CSV column")


class Deviation(nn.Module):
    """How far values (B, 1) are from the learnt mean."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(1))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values - self.mean


class Mean(Family[MeanConfig]):
    """Learns the mean of a CSV column, and answers with the deviation of a value from it."""

    name = "mean"
    task = "tabular-regression"
    metrics = ("mse",)
    config_type = MeanConfig
    inputs, outputs = ("value",), ("deviation",)

    def examples(self, files: Files, config: MeanConfig) -> Examples:
        values: dict[str, float] = {}
        for key, body in files.items():
            for number, row in enumerate(csv.DictReader(io.StringIO(body.decode())), start=1):
                try:
                    values[f"{key}/{number}"] = float(row[config.column])
                except (KeyError, TypeError, ValueError) as error:
                    raise InvalidData(f"{key}, row {number}: no number in {config.column}") from error
        return split_examples((torch.tensor([*values.values()]).view(-1, 1),), list(values), config.held_out)

    def build(self, config: MeanConfig, about: Mapping[str, Any]) -> nn.ModuleDict:
        return nn.ModuleDict({"mean": Deviation()})

    def losses(
        self, networks: nn.ModuleDict, batch: Batch, config: MeanConfig
    ) -> Iterator[tuple[str, torch.Tensor]]:
        yield "mean", networks["mean"](batch[0]).square().mean()

    def score(self, networks: nn.ModuleDict, examples: Examples, config: MeanConfig) -> Mapping[str, float]:
        values = examples.held_out[0].to(device_of(networks))
        return {"mse": networks["mean"](values).square().mean().item()}


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    clock, settings = MemoryClock(), Settings(home=tmp_path)
    cluster = MemoryCluster(settings.namespace, clock)
    return Platform(MemoryStore(), cluster, MemoryEvents(), HttpPredictors(), clock, settings)


def opened_run(platform: Platform, table: str, column: str) -> Run:
    """A run of the family `mean` on one CSV file."""
    prefix = "s3://datasets/rain/"
    platform.store.put(prefix + "days.csv", table.encode())
    objects = tuple(DatasetObject(one.uri, one.etag, one.size) for one in platform.store.list(prefix))
    dataset = Dataset("rain", prefix, objects)
    config = {"column": column, "epochs": 50, "batchSize": 16, "learningRate": 0.1}
    present = platform.clock.now().isoformat()
    uri = write_dataset(dataset, platform.bucket)
    run = Run("rain-0123456789", "rain", "mean", dataset.digest, uri, config, present)
    write_run(run, platform.bucket)
    return run


def test_a_small_family_is_trained_exported_and_served(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real trainer learns the mean of a column, and the predictor's graph answers with the deviation from
    it."""
    monkeypatch.setitem(FAMILIES, "mean", f"{__name__}:Mean")
    amounts = [3 + (number % 5 - 2) / 10 for number in range(100)]
    table = "day,rain\n" + "".join(f"{day},{rain}\n" for day, rain in enumerate(amounts))
    assert train(opened_run(platform, table, "rain").id, platform) == SUCCEEDED
    folder = version_uri(platform.bucket.root, "rain", "v000001")
    version = fetch_version(platform.store, folder, "rain")
    graph = Graph(version, threads=1)
    warm_up(graph, version)
    answers = graph.run({"value": np.array([[3.0], [5.0]], np.float32)})
    assert answers["deviation"] == pytest.approx(np.array([[0.0], [2.0]]), abs=0.05)
    assert version.manifest.metrics["mse"] == pytest.approx(0.02, abs=0.01)
    assert version.samples[0].instance == pytest.approx([amounts[0]], abs=1)


@pytest.mark.parametrize("rows", ["1,much\n", "1\n", "", "1,3\n"])
def test_a_small_family_rejects_data_as_a_large_one_does(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, rows: str
) -> None:
    """Text in place of a number, a short row, no row, and a single row, which cannot be split."""
    monkeypatch.setitem(FAMILIES, "mean", f"{__name__}:Mean")
    assert train(opened_run(platform, "day,rain\n" + rows, "rain").id, platform) == REJECTED


def test_a_family_that_lacks_a_method_cannot_be_made() -> None:
    """Python names the methods that have no default."""

    class Half(Family[FamilyConfig]):
        name = "half"

    with pytest.raises(TypeError, match=r"build.*examples.*losses.*score"):
        Half()  # type: ignore[abstract]
