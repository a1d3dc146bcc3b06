"""The second part of a family, learning: networks, losses and scores.

`losses` is a generator, so that a GAN can yield the loss of its discriminator, have it stepped, and then
compute the loss of its generator.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

import torch
from torch import nn

from knoll.errors import Rejected
from knoll.families.base.data import Batch, Examples
from knoll.families.base.signs import Sign
from knoll.families.declaration import ConfigT
from knoll.records.champion_score import Slices
from knoll.records.signature import Signature

__all__ = ["Baseline", "LearningPart", "Scores", "ServedGraph", "Slices", "device_of"]


@dataclass(frozen=True)
class Scores:
    """Metrics of all held-out examples, and of parts of them."""

    metrics: Mapping[str, float]
    slices: Slices = field(default_factory=dict)


@dataclass(frozen=True)
class ServedGraph:
    """The graph of a version. `answer` gets its inputs and returns its outputs, (B, ...) each, on the CPU and
    in the order of the signature."""

    signature: Signature
    answer: Callable[[Batch], Batch]


@dataclass(frozen=True)
class Baseline:
    """What an answer scores that needs no learning. `what` says which answer, in words that go on after a
    colon."""

    what: str
    metrics: Mapping[str, float]


class LearningPart(ABC, Generic[ConfigT]):
    """Says what is trained, and how well it does. The loop calls the methods."""

    @abstractmethod
    def build(self, config: ConfigT, about: Mapping[str, Any]) -> nn.ModuleDict:
        """The networks with fresh weights, by name."""

    def optimizers(self, networks: nn.ModuleDict, config: ConfigT) -> Mapping[str, torch.optim.Optimizer]:
        """One optimiser for each name that `losses` yields. By default each network has Adam."""
        return {
            name: torch.optim.Adam(network.parameters(), lr=config.learning_rate)
            for name, network in networks.items()
        }

    def rate(self, done: float, config: ConfigT) -> float:
        """The factor of the learning rate when the share `done` of all steps is taken. By default always
        1."""
        return 1.0

    def prepare(self, batch: Batch, config: ConfigT) -> Batch:
        """The batch, which lies on its device, as the losses want it: pixels as floats. Nothing is random. By
        default unchanged."""
        return batch

    def augment(self, batch: Batch, config: ConfigT) -> Batch:
        """The prepared batch with random changes, for training only: noise, shifts, flips. By default
        unchanged. Random numbers come from torch's global generator."""
        return batch

    @abstractmethod
    def losses(
        self, networks: nn.ModuleDict, batch: Batch, config: ConfigT
    ) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield pairs of optimiser name and scalar loss. Each is stepped before the next is asked for.

        It is also asked for the losses of held-out examples. Then the networks are in eval mode without
        gradients, and nothing is stepped.
        """

    @abstractmethod
    def score(self, networks: nn.ModuleDict, examples: Examples, config: ConfigT) -> Mapping[str, float]:
        """Metrics on the held-out examples, by the names that a gate uses. The networks are in eval mode,
        without gradients. It is also asked some times while they are trained, with fewer examples."""

    def score_slices(self, networks: nn.ModuleDict, examples: Examples, config: ConfigT) -> Slices:
        """Metrics of parts of the held-out examples, by metric and part, such as the recall of each class. By
        default none. The networks are as for `score`."""
        return {}

    def score_served(self, served: ServedGraph, examples: Examples, config: ConfigT) -> Scores:
        """The same scores of another version, by its graph, on the same held-out examples. Raises Rejected if
        its inputs or outputs are others. By default it always does."""
        raise Rejected("this family does not score graphs")

    def narrower(self, config: ConfigT) -> ConfigT | None:
        """The config of smaller networks with the same inputs and outputs, which learn from the larger ones.
        By default None: there are none."""
        return None

    def imitation(self, answers: Batch, wanted: Batch) -> torch.Tensor:
        """The loss of what the served network answers, if it should answer as another one. By default the
        mean squared error."""
        pairs = zip(answers, wanted, strict=True)
        return torch.stack([(one - other).square().mean() for one, other in pairs]).sum()

    def baseline(self, examples: Examples, config: ConfigT) -> Baseline | None:
        """Metrics of a naive answer on the held-out examples, for the model card. By default None: there is
        none."""
        return None

    def signs(self, networks: nn.ModuleDict, examples: Examples, config: ConfigT) -> Sequence[Sign]:
        """Numbers that show whether the training still learns, for each point of the curve. While one is
        ill, no version is published. By default there are none. The networks are in eval mode, without
        gradients."""
        return ()


def device_of(networks: nn.Module) -> torch.device:
    """The device of the networks' weights."""
    return next(networks.parameters()).device
