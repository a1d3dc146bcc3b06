"""What is compressed: a finished training and its exported graph."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from knoll.families.base import Batch, Examples, Export, Family, ServedGraph
from knoll.models.compression import CompressionSpec
from knoll.trainer.generators import borrowed_generators

__all__ = ["Subject"]

_CALIBRATED_ON = 128  # training examples, at most


@dataclass(frozen=True)
class Subject:
    """A finished training: its `networks`, which are on the CPU and were trained on `device`, and the graph
    that was exported. `plan` says what is asked, `exam` are the examples of the golden set, if there is
    one. `find_champion` raises Rejected if there is no champion."""

    family: Family[Any]
    config: Any
    examples: Examples
    networks: nn.ModuleDict
    export: Export
    graph: bytes
    plan: CompressionSpec
    exam: Examples | None
    threads: int
    device: torch.device
    find_champion: Callable[[], ServedGraph]

    @property
    def calibrated_on(self) -> int:
        """How many training examples set the ranges of integers."""
        return min(len(self.examples.train[0]), _CALIBRATED_ON)

    @property
    def calibration(self) -> Batch:
        """Inputs of the graph, made of training examples that are evenly spaced."""
        rows = torch.linspace(0, len(self.examples.train[0]) - 1, self.calibrated_on).long()
        with borrowed_generators(self.config.seed, torch.device("cpu")):
            return self.family.served_inputs(tuple(one[rows] for one in self.examples.train), self.config)
