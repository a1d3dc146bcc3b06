"""What a family of models is: the protocol behind `spec.family`.

A family is one module, with one line in `knoll.families`. It says how data becomes examples, what the
networks and their losses are, how good they are, and how they are served; the loop in `knoll.trainer.loop`
does the rest: devices, precision, progress, checkpoints. `losses` is a generator, so that a GAN can yield its
discriminator's loss, have it stepped, and then compute its generator's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from torch import nn

from knoll.errors import InvalidModel
from knoll.records.signature import Signature

__all__ = ["Batch", "Examples", "Export", "Family", "FamilyConfig", "Files", "device_of", "read_config"]

Batch = tuple[torch.Tensor, ...]
Files = Mapping[str, bytes]  # key relative to the dataset's prefix -> content


class FamilyConfig(BaseModel):
    """What every family's config has. Fields are written in camel case in a Model document; unknown ones are
    faults."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)

    epochs: int = Field(default=10, ge=1)
    batch_size: int = Field(default=64, ge=2)
    seed: int = Field(default=0, ge=0, lt=2**63)


_Config = TypeVar("_Config", bound=FamilyConfig)


def read_config(kind: type[_Config], config: Mapping[str, Any]) -> _Config:
    """Read spec.training.config. Raises InvalidModel that lists every fault with its path."""
    try:
        return kind.model_validate(dict(config))
    except ValidationError as error:
        faults = [
            f"{'.'.join(['spec.training.config', *map(str, one['loc'])])}: {one['msg']}"
            for one in error.errors()
        ]
    known = ", ".join(field.alias or name for name, field in kind.model_fields.items())
    raise InvalidModel(
        "the training config has faults:\n  " + "\n  ".join(faults), fix=f"the family knows: {known}"
    )


def device_of(networks: nn.Module) -> torch.device:
    """Where the networks' weights lie."""
    return next(networks.parameters()).device


@dataclass(frozen=True)
class Examples:
    """Decoded data. `train` and `held_out` are tensors of equal first dimension, one tuple each; `about` is
    what the family must remember of the data, such as its class names and image size, as JSON."""

    train: Batch
    held_out: Batch
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Export:
    """What is served: a module in eval mode on the CPU that maps the inputs of `signature` to its outputs,
    and `samples`, V1 instances that warm it up and are replayed during a canary. `sample_inputs` are the
    tensors that the samples stand for, one row each."""

    module: nn.Module
    signature: Signature
    samples: tuple[Any, ...]
    sample_inputs: Batch


class Family(Protocol):
    """One kind of model. `C` below is the family's config, a frozen pydantic model."""

    name: str
    task: str  # as the Hugging Face hub names it, for the model card: image-classification, ...
    metrics: tuple[str, ...]  # what `score` gives, and so what a gate can ask for

    def configure(self, config: Mapping[str, Any]) -> Any:
        """Check the user's training.config and fill in defaults. Has at least epochs, batch_size and seed.
        Raises InvalidModel."""

    def examples(self, files: Files, config: Any) -> Examples:
        """Decode and split the data, the same way each time. Raises InvalidData that names the file."""

    def build(self, config: Any, about: Mapping[str, Any]) -> nn.ModuleDict:
        """The networks with fresh weights, by name."""

    def optimizers(self, networks: nn.ModuleDict, config: Any) -> Mapping[str, torch.optim.Optimizer]:
        """One optimiser for each name that `losses` yields."""

    def rate(self, done: float, config: Any) -> float:
        """The share of the learning rate to train with when `done`, from 0 to 1, of the steps are taken."""

    def augment(self, batch: Batch, config: Any) -> Batch:
        """A batch of examples as the losses want it, on its device, with random changes: noise, shifts,
        flips.

        Draws from torch's global generator.
        """

    def losses(
        self, networks: nn.ModuleDict, batch: Batch, config: Any
    ) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield (optimiser name, scalar loss) in turn; each is stepped before the next is asked for."""

    def score(self, networks: nn.ModuleDict, examples: Examples, config: Any) -> Mapping[str, float]:
        """Metrics on the held-out data, by the names that a gate uses. The networks are in eval mode, without
        gradients."""

    def checkpoint_picture(self, networks: nn.ModuleDict, examples: Examples, config: Any) -> bytes | None:
        """A PNG that shows progress, kept once per checkpoint; None if there is nothing to see."""

    def final_pictures(self, networks: nn.ModuleDict, examples: Examples, config: Any) -> Mapping[str, bytes]:
        """PNGs for the model card, by file name."""

    def export(self, networks: nn.ModuleDict, examples: Examples, config: Any) -> Export:
        """What is served."""
