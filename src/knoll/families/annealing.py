"""A usual way to step a network: AdamW, whose rate falls by half a cosine."""

import math
from collections.abc import Mapping

import torch
from torch import nn

__all__ = ["adamw", "half_cosine"]


def adamw(networks: nn.ModuleDict, rate: float, decay: float) -> Mapping[str, torch.optim.Optimizer]:
    """One AdamW for each network."""
    return {
        name: torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay)
        for name, network in networks.items()
    }


def half_cosine(done: float) -> float:
    """From 1 to 0, as in https://arxiv.org/abs/1608.03983."""
    return (1 + math.cos(math.pi * done)) / 2
