"""A residual network for rows.

Numbers are scaled by their median and quartiles, and squeezed smoothly, so that a wild one has a bounded
effect; that they are missing is an input of its own. Each category has an embedding, and so have unseen and
missing ones. All this belongs to the network, so the served graph takes cells as they are.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import nn

from knoll.families.tabular.declaration import TabularConfig

__all__ = ["ANSWERS", "ServedNetwork", "TabularNetwork", "in_units"]

ANSWERS = ("value", "low", "high")  # of a regression
_SQUEEZE = 3.0
_FURTHEST = 1e6  # a float32 holds its square
_OTHERS = (
    2  # rows of a column's embedding beside its categories: that of unseen ones, and that of missing ones
)


class Features(nn.Module):
    """Cells (B, C, 2) -> numbers (B, F)."""

    numbers: torch.Tensor
    categories: torch.Tensor
    center: torch.Tensor
    scale: torch.Tensor
    sizes: torch.Tensor
    starts: torch.Tensor

    def __init__(self, about: Mapping[str, Any], size: int) -> None:
        super().__init__()
        columns = [*enumerate(about["columns"])]
        numbers = [(place, one) for place, one in columns if one["kind"] == "number"]
        named = [(place, one) for place, one in columns if one["kind"] != "number"]
        sizes = [len(one["categories"]) for _, one in named]
        starts = [*accumulate((size + _OTHERS for size in sizes), initial=0)]
        self._keep("numbers", [place for place, _ in numbers])
        self._keep("categories", [place for place, _ in named])
        self._keep("sizes", sizes)
        self._keep("starts", starts[:-1])
        self.register_buffer("center", torch.tensor([float(one["center"]) for _, one in numbers]))
        self.register_buffer("scale", torch.tensor([float(one["scale"]) for _, one in numbers]))
        self.embedding = nn.Embedding(max(1, starts[-1]), size)
        nn.init.normal_(self.embedding.weight, std=0.3)
        self.width = 2 * len(numbers) + size * len(named)

    def _keep(self, name: str, numbers: Sequence[int]) -> None:
        self.register_buffer(name, torch.tensor(numbers, dtype=torch.int64))

    def forward(self, cells: torch.Tensor) -> torch.Tensor:
        found = []
        if len(self.numbers):
            known = cells[:, self.numbers, 1]
            scaled = (cells[:, self.numbers, 0] - self.center) / self.scale
            scaled = scaled.clamp(-_FURTHEST, _FURTHEST)
            squeezed = scaled / (1 + (scaled / _SQUEEZE).square()).sqrt()
            found += [squeezed * known, 1 - known]
        if len(self.categories):
            numbers = cells[:, self.categories, 0].round().to(torch.int64)
            is_known = cells[:, self.categories, 1] > 0.5
            numbers = torch.where((numbers < 0) | (numbers > self.sizes), 0, numbers)
            rows = self.starts + torch.where(is_known, numbers, self.sizes + 1)
            found.append(self.embedding(rows).flatten(1))
        return torch.cat(found, 1)


class TabularNetwork(nn.Module):
    """Cells (B, C, 2) -> logits (B, K), or three numbers (B, 3) in standard deviations of the target: the
    mean, and how far below and above it the ends of the interval are. What a linear map and the residual
    blocks make of the features adds up."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, about: Mapping[str, Any], config: TabularConfig) -> None:
        super().__init__()
        self.features = Features(about, config.embedding)
        self.register_buffer("mean", torch.tensor(float(about["mean"])))
        self.register_buffer("std", torch.tensor(float(about["std"])))
        outputs = len(about["classes"]) or len(ANSWERS)
        width = config.width
        self.straight = nn.Linear(self.features.width, outputs)
        self.enter = nn.Sequential(nn.Linear(self.features.width, width), nn.Dropout(config.dropout))
        self.blocks = nn.ModuleList(_block(width, config.dropout) for _ in range(config.blocks))
        self.leave = nn.Sequential(nn.LayerNorm(width), nn.SiLU(), nn.Linear(width, outputs))

    def forward(self, cells: torch.Tensor) -> torch.Tensor:
        features = self.features(cells)
        inner = self.enter(features)
        for block in self.blocks:
            inner = inner + block(inner)
        outputs: torch.Tensor = self.straight(features) + self.leave(inner)
        return outputs


def _block(width: int, dropout: float) -> nn.Module:
    return nn.Sequential(
        nn.LayerNorm(width),
        nn.Linear(width, 2 * width),
        nn.SiLU(),
        nn.Dropout(dropout),
        nn.Linear(2 * width, width),
        nn.Dropout(dropout),
    )


class ServedNetwork(nn.Module):
    """The network with answers that mean something: probabilities (B, K), or `ANSWERS` (B,) each in the unit
    of the target."""

    def __init__(self, network: TabularNetwork, *, is_classifier: bool) -> None:
        super().__init__()
        self.network, self.is_classifier = network, is_classifier

    def forward(self, cells: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        outputs = self.network(cells)
        return outputs.softmax(1) if self.is_classifier else in_units(outputs, self.network)


def in_units(outputs: torch.Tensor, network: TabularNetwork) -> tuple[torch.Tensor, ...]:
    """The numbers of a regression (B, 3) -> value, low and high (B,). The value is never outside of the
    interval."""
    mean, std = network.mean.to(outputs.device), network.std.to(outputs.device)
    value = mean + std * outputs[:, 0]
    below, above = (nn.functional.softplus(outputs[:, 1:]) * std).unbind(1)
    return value, value - below, value + above
