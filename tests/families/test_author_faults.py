"""Who writes a family is told what does not fit together in it, by names."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import torch
from torch import nn

from families.toy import ColumnMean, ColumnMeanConfig
from families.trainings import Trained
from knoll.families.base import Batch, Examples, Family, export_network

FILES = {"days.csv": b"day,rain\n0,1\n1,2\n2,3\n3,4\n"}
CONFIG = {"column": "rain", "epochs": 1}


class Misnamed(ColumnMean):
    """It yields the loss of a network that it does not build."""

    name = "misnamed"

    def losses(
        self, networks: nn.ModuleDict, batch: Batch, config: ColumnMeanConfig
    ) -> Iterator[tuple[str, torch.Tensor]]:
        for _, loss in super().losses(networks, batch, config):
            yield "median", loss


class Undeclared(ColumnMean):
    """It scores a metric that it does not declare."""

    name = "undeclared"

    def score(
        self, networks: nn.ModuleDict, examples: Examples, config: ColumnMeanConfig
    ) -> Mapping[str, float]:
        return {**super().score(networks, examples, config), "mean_error": 1.0}


class Greedy(ColumnMean):
    """It names more inputs than a batch has columns."""

    name = "greedy"
    inputs = ("value", "weight")  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("family", "fault"),
    [
        (Misnamed, "Misnamed: losses yields 'median', and build has: subtract"),
        (Undeclared, "Undeclared: score returns 'mean_error', and metrics has: mse"),
        (Greedy, r"Greedy: inputs has 2 names \(value, weight\), and a batch has 1 column"),
    ],
)
def test_names_that_do_not_fit_end_the_training(
    trained: Trained, family: type[Family[Any]], fault: str
) -> None:
    with pytest.raises(TypeError, match=f"^{fault}"):
        trained(family, CONFIG, FILES)


@pytest.mark.parametrize(("names", "count"), [(("a", "b"), 1), (("a",), 2)])
def test_each_tensor_that_a_network_returns_has_a_name(names: tuple[str, ...], count: int) -> None:
    class Returning(nn.Module):
        def forward(self, value: torch.Tensor) -> torch.Tensor | Batch:
            return value if count == 1 else (value,) * count

    fault = rf"outputs has {len(names)} names? \({', '.join(names)}\), and the number .* is {count}"
    with pytest.raises(TypeError, match=fault):
        export_network(Returning(), {"value": torch.zeros(2, 1)}, names)
