"""What a family of models is: the protocol behind `spec.family`.

A family is one module, with one line in `knoll.families`. It says how data becomes examples, what the networks and their losses are,
how good they are, and how they are served; the loop in `knoll.train.loop` does the rest: devices, precision, progress, checkpoints.
`losses` is a generator, so that a GAN can yield its discriminator's loss, have it stepped, and then compute its generator's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import nn

from knoll.versions import Signature

__all__ = ["Batch", "Examples", "Export", "Family", "Files"]

Batch = tuple[torch.Tensor, ...]
Files = Mapping[str, bytes]  # key relative to the dataset's prefix -> content


@dataclass(frozen=True)
class Examples:
    """Decoded data. `train` and `held_out` are tensors of equal first dimension, one tuple each; `about` is what the family must
    remember of the data, such as its class names and image size, as JSON."""

    train: Batch
    held_out: Batch
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Export:
    """What is served: a module in eval mode that maps the example inputs to the outputs of `signature`, and `samples`, V1 instances
    that warm it up and are replayed during a canary."""

    module: nn.Module
    example_inputs: Batch
    signature: Signature
    samples: tuple[Any, ...]


class Family(Protocol):
    """One kind of model. `C` below is the family's config, a frozen pydantic model."""

    name: str

    def configure(self, config: Mapping[str, Any]) -> Any:
        """Check the user's training.config and fill in defaults. Has at least epochs, batch_size and seed. Raises InvalidModel."""

    def examples(self, files: Files, config: Any) -> Examples:
        """Decode and split the data, the same way each time. Raises InvalidData that names the file."""

    def build(self, config: Any, about: Mapping[str, Any]) -> nn.ModuleDict:
        """The networks with fresh weights, by name."""

    def optimizers(self, networks: nn.ModuleDict, config: Any) -> Mapping[str, torch.optim.Optimizer]:
        """One optimiser for each name that `losses` yields."""

    def augment(self, batch: Batch, config: Any) -> Batch:
        """Random changes to a training batch: noise, shifts, flips. Draws from torch's global generator."""

    def losses(self, networks: nn.ModuleDict, batch: Batch, config: Any) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield (optimiser name, scalar loss) in turn; each is stepped before the next is asked for."""

    def score(self, networks: nn.ModuleDict, examples: Examples, config: Any) -> Mapping[str, float]:
        """Metrics on the held-out data, by the names that a gate uses. The networks are in eval mode, without gradients."""

    def checkpoint_picture(self, networks: nn.ModuleDict, examples: Examples, config: Any) -> bytes | None:
        """A PNG that shows progress, kept once per checkpoint; None if there is nothing to see."""

    def final_pictures(self, networks: nn.ModuleDict, examples: Examples, config: Any) -> Mapping[str, bytes]:
        """PNGs for the model card, by file name."""

    def export(self, networks: nn.ModuleDict, examples: Examples, config: Any) -> Export:
        """What is served."""
