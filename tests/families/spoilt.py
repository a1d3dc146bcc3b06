"""GANs that are spoilt on purpose, each seed in another way."""

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from knoll.families.base import Batch
from knoll.families.dcgan.declaration import DcganConfig
from knoll.families.dcgan.family import Dcgan
from knoll.families.dcgan.networks import SIDE

__all__ = ["CONFIG", "Collapsed", "Diverging"]

CONFIG = {"epochs": 3, "batchSize": 2, "latent": 4, "scored": 2, "heldOut": 0.5}
STEPS = 6  # on 8 pictures
SPOILT: list[Callable[[torch.Tensor], torch.Tensor]] = [
    lambda loss: loss * torch.inf,
    lambda loss: loss * torch.nan,
    lambda loss: loss + (loss * 0).sqrt(),  # its gradient is not finite, but the loss is
]


class Small(Dcgan):
    """A GAN with small networks, so that a training takes a moment."""

    def build(self, config: DcganConfig, about: Mapping[str, Any]) -> nn.ModuleDict:
        grown = nn.Unflatten(1, (3, 4, 4)), nn.Upsample(SIDE), nn.Conv2d(3, 3, 3, padding=1), nn.Tanh()
        generator = nn.Sequential(nn.Linear(config.latent, 48), nn.BatchNorm1d(48), *grown)
        discriminator = nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(3 * 7 * 7, 1))
        return nn.ModuleDict({"generator": generator, "discriminator": discriminator})


class Collapsed(Small):
    """From a random step on, the last one at the latest, its generator draws the same picture whatever the
    latent vector is: one of its layers has become 0."""

    name = "collapsed"

    def build(self, config: DcganConfig, about: Mapping[str, Any]) -> nn.ModuleDict:
        networks, chance = super().build(config, about), random.Random(config.seed)
        layers = [one for one in networks["generator"].modules() if hasattr(one, "weight")]
        self.layer: Any = chance.choice(layers)
        self.step, self.taken = chance.randint(1, STEPS), 0
        return networks

    def augment(self, batch: Batch, config: DcganConfig) -> Batch:
        self.taken += 1
        if self.taken == self.step:
            self.layer.weight.requires_grad_(False).zero_()
        return batch


class Diverging(Small):
    """From a random step on, one of its losses or their gradients are not finite."""

    name = "diverging"

    def build(self, config: DcganConfig, about: Mapping[str, Any]) -> nn.ModuleDict:
        chance = random.Random(config.seed)
        self.step, self.taken = chance.randint(1, STEPS), 0
        self.ill = chance.choice(["generator", "discriminator"])
        self.spoil = chance.choice(SPOILT)
        return super().build(config, about)

    def augment(self, batch: Batch, config: DcganConfig) -> Batch:
        self.taken += 1
        return batch

    def losses(
        self, networks: nn.ModuleDict, batch: Batch, config: DcganConfig
    ) -> Iterator[tuple[str, torch.Tensor]]:
        for name, loss in super().losses(networks, batch, config):
            is_ill = networks.training and self.taken >= self.step and name == self.ill
            yield name, self.spoil(loss) if is_ill else loss
