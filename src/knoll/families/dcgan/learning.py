"""How the two networks learn: in turn, the discriminator first."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from knoll.families.base import (
    Baseline,
    Batch,
    Column,
    Examples,
    LearningPart,
    Scores,
    ServedGraph,
    Sign,
    device_of,
    parts,
)
from knoll.families.dcgan.declaration import DcganConfig
from knoll.families.dcgan.networks import build_discriminator, build_generator, draw_latents, generate
from knoll.families.frechet import diversity, frechet_distance

__all__ = ["DcganLearning"]

_AT_ONCE = 256  # pictures
_LOOKED_AT = 32  # pictures: few, since they are drawn for each point of the curve
_LEAST_DIVERSITY = 0.02
_ACCURACIES = (0.001, 0.999)


class DcganLearning(LearningPart[DcganConfig]):
    """Two networks, `generator` and `discriminator`. The learning rate is constant, so that neither falls
    behind the other."""

    def build(self, config: DcganConfig, about: Mapping[str, Any]) -> nn.ModuleDict:
        """See `LearningPart.build`."""
        return nn.ModuleDict(
            {"generator": build_generator(config.latent), "discriminator": build_discriminator()}
        )

    def optimizers(self, networks: nn.ModuleDict, config: DcganConfig) -> Mapping[str, torch.optim.Optimizer]:
        """Adam for each network."""
        return {
            name: torch.optim.Adam(network.parameters(), lr=config.learning_rate, betas=(config.beta1, 0.999))
            for name, network in networks.items()
        }

    def prepare(self, batch: Batch, config: DcganConfig) -> Batch:
        """Pixels in [-1, 1]. They are not augmented: the generator would learn it."""
        return (batch[0].float() / 127.5 - 1,)

    def losses(
        self, networks: nn.ModuleDict, batch: Batch, config: DcganConfig
    ) -> Iterator[tuple[str, torch.Tensor]]:
        """The loss of the discriminator, then the non-saturating loss of the generator, which sees the
        discriminator after its step."""
        generator, discriminator = networks["generator"], networks["discriminator"]
        (real,) = batch
        fake = generator(torch.randn(len(real), config.latent, device=real.device))
        yield (
            "discriminator",
            _cross_entropy(discriminator(real), 1.0) + _cross_entropy(discriminator(fake.detach()), 0.0),
        )
        discriminator.requires_grad_(False)  # its weight gradients would not be used
        loss = _cross_entropy(discriminator(fake), 1.0)
        discriminator.requires_grad_(True)
        yield "generator", loss

    def score(self, networks: nn.ModuleDict, examples: Examples, config: DcganConfig) -> Mapping[str, float]:
        """frechet_pixels and diversity, of pictures reduced to 8×8 pixels in [-1, 1].

        frechet_pixels is the Fréchet distance between generated and held-out pictures; smaller is better.
        diversity is the mean distance between generated pictures, divided by that between real ones: 1 is as
        varied, 0 is mode collapse.
        """
        latents = draw_latents(config.scored, config.latent, config.seed)
        fake = _reduced(generate(networks["generator"], latents, config.batch_size))
        return _metrics(fake, examples, config)

    def score_served(self, served: ServedGraph, examples: Examples, config: DcganConfig) -> Scores:
        """See `LearningPart.score_served`. It draws from latent vectors of its own size."""
        (latent,) = served.signature.inputs
        latents = draw_latents(config.scored, latent.shape[1], config.seed)
        parts = torch.split(latents, config.batch_size)
        fake = torch.cat([_reduced(served.answer((part,))[0]) for part in parts])
        return Scores(_metrics(fake, examples, config))

    def baseline(self, examples: Examples, config: DcganConfig) -> Baseline:
        """The mean of the training pictures, again and again."""
        mean = _reduce_pixels(examples.train[0]).mean(0)
        return Baseline("always the mean picture", _metrics(mean.expand(config.scored, -1), examples, config))

    def signs(self, networks: nn.ModuleDict, examples: Examples, config: DcganConfig) -> Sequence[Sign]:
        """diversity as in `score`, and how often the discriminator is right, on some pictures."""
        known = len(examples.train[0])
        rows = torch.linspace(0, known - 1, min(_LOOKED_AT, known)).long()
        real, fake = examples.train[0][rows], draw_latents(_LOOKED_AT, config.latent, config.seed)
        drawn = generate(networks["generator"], fake, config.batch_size)
        return (
            Sign(
                "diversity",
                diversity(_reduced(drawn)) / max(diversity(_reduce_pixels(real)), 1e-9),
                "the generator draws nearly the same picture each time (mode collapse)",
                least=_LEAST_DIVERSITY,
                is_served=True,
            ),
            Sign(
                "discriminator_accuracy",
                _share_right(networks["discriminator"], self.prepare((real,), config)[0], drawn),
                "the discriminator no longer teaches the generator",
                *_ACCURACIES,
            ),
        )


def _metrics(fake: torch.Tensor, examples: Examples, config: DcganConfig) -> Mapping[str, float]:
    """See `DcganLearning.score`; `fake` are reduced pictures (N, 192)."""
    real, unseen = _reduce_pixels(examples.train[0][: config.scored]), _reduce_pixels(examples.held_out[0])
    varied = diversity(real)
    return {
        "frechet_pixels": frechet_distance(unseen, fake),
        "diversity": diversity(fake) / max(varied, 1e-9),
    }


def _share_right(discriminator: nn.Module, real: torch.Tensor, fake: torch.Tensor) -> float:
    """How many of these pictures the discriminator takes for what they are."""
    taken, known = (discriminator(one.to(device_of(discriminator))) > 0 for one in (real, fake))
    right = torch.cat([taken, ~known])
    return right.float().mean().item()


def _cross_entropy(logits: torch.Tensor, target: float) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def _reduce_pixels(pixels: Column) -> torch.Tensor:
    """The same of pixels in 0..255, some at a time: as floats they would take eight times the memory."""
    return torch.cat([_reduced(part.float() / 127.5 - 1) for part in parts(pixels, _AT_ONCE)])


def _reduced(pictures: torch.Tensor) -> torch.Tensor:
    """(B, 3, 56, 56) -> (B, 192), in float64."""
    return F.adaptive_avg_pool2d(pictures, 8).flatten(1).double()
