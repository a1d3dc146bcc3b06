"""Two towers beside a closed form: what the items of a user say for other items, the more the later they were
taken, and what a learnt user and a learnt item have in common.

The closed form (see `neighbours`) needs no training but for how fast an item is forgotten. The towers learn
what it lacks, as in https://research.google/pubs/deep-neural-networks-for-youtube-recommendations/.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from knoll.families.recommender.declaration import RecommenderConfig

__all__ = ["RankedItems", "TwoTowers"]

_FORGOTTEN = 0.03  # of the weight of an item with each later one, before it is learnt
_SCALE = 15.0  # of the closed form, before it is learnt
_SPREAD = 0.05  # of fresh embeddings
_NEVER = -1e9


class TwoTowers(nn.Module):
    """Histories (B, L) as numbers of items, the latest last, 0 for none -> a score for each item, (B, I + 1).
    Item 0 is none."""

    columns: torch.Tensor
    weights: torch.Tensor

    def __init__(self, about: Mapping[str, Any], config: RecommenderConfig) -> None:
        super().__init__()
        self.register_buffer("columns", torch.tensor(about["columns"]))
        self.register_buffer("weights", torch.tensor(about["weights"]))
        self.items, width = len(about["columns"]), config.width
        self.fading = nn.Parameter(-_FORGOTTEN * torch.arange(config.history).flip(0).float())
        self.scale = nn.Parameter(torch.tensor(_SCALE))
        self.popularity = nn.Parameter(torch.tensor(about["shares"]).log())
        self.popular = nn.Parameter(torch.tensor(0.1))
        self.enter = nn.Embedding(self.items, width)
        self.leave = nn.Embedding(self.items, width)
        nn.init.normal_(self.enter.weight, std=_SPREAD)
        nn.init.normal_(self.leave.weight, std=_SPREAD)
        self.mix = nn.Sequential(nn.Linear(2 * width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, histories: torch.Tensor) -> torch.Tensor:
        learnt = self.user(histories) @ self.leave.weight.T
        return self.told(histories) + learnt + self.popular * self.popularity

    def told(self, histories: torch.Tensor) -> torch.Tensor:
        """What the items of each history say for others, (B, I + 1)."""
        taken = histories.long()
        said = self.weights[taken] * self._memory(histories)[..., None]  # (B, L, N)
        places = self.columns[taken].flatten(1)
        empty = said.new_zeros((taken.shape[0], self.items))  # a len() would fix the size of a batch
        return self.scale * empty.scatter_add(1, places, said.flatten(1))

    def user(self, histories: torch.Tensor) -> torch.Tensor:
        """The tower of users, (B, width): all items of a history alike, and the latest most."""
        is_item = (histories > 0)[..., None]
        inner = self.enter(histories.long()) * is_item
        memory = self._memory(histories)[..., None]
        late = (inner * memory).sum(1) / memory.sum(1).clamp(min=1)
        whole = inner.sum(1) * is_item.sum(1).clamp(min=1) ** -0.5
        both = self.dropout(torch.cat([whole, late], 1))
        found: torch.Tensor = late + whole + self.mix(both)
        return found

    def _memory(self, histories: torch.Tensor) -> torch.Tensor:
        """The weight of each item, (B, L)."""
        return self.fading.exp() * (histories > 0)


class RankedItems(nn.Module):
    """Histories (B, L) -> the best items that are not in them, each as [number, score], (B, top, 2), in
    float64: then no two machines order them differently."""

    def __init__(self, towers: TwoTowers, top: int) -> None:
        super().__init__()
        self.towers, self.top = towers, top

    def forward(self, histories: torch.Tensor) -> torch.Tensor:
        scores = self.towers(histories).double()
        taken = torch.cat([histories.long(), torch.zeros_like(histories[:, :1]).long()], 1)
        open_scores = scores.scatter(1, taken, _NEVER)
        found = open_scores.topk(self.top, dim=1)
        return torch.stack([found.indices.double(), found.values], 2)
