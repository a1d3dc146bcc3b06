"""A deep convolutional GAN that makes pictures of 56×56 pixels, after Radford et al.,
https://arxiv.org/abs/1511.06434.

The layers are those of a Keras model, so Keras's defaults hold: "same" padding, which for stride 2 pads one
more at the end, LeakyReLU with slope 0.3, batch norm with epsilon 0.001, Glorot-uniform kernels. Its batch
norm momentum of 0.8, kept in every layer, is 0.2 in torch.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from PIL import Image
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from knoll.errors import InvalidData
from knoll.families.base import Batch, Examples, Export, FamilyConfig, Files, device_of, read_config
from knoll.families.frechet import diversity, frechet_distance
from knoll.families.held_out import held_out
from knoll.families.pictures import Pixels, fit, picture_keys, read_pictures, to_grid
from knoll.records.signature import Signature, Tensor

__all__ = ["SIDE", "Dcgan", "DcganConfig", "SameConvTranspose", "build_discriminator", "build_generator"]

SIDE = 56
_GRID = 16
_SAMPLES = 4
_ENOUGH = 8  # pictures: fewer give no distribution to compare with


class DcganConfig(FamilyConfig):
    """`latent` is the size z of the generator's input, `scored` the number of pictures it makes to be
    scored."""

    epochs: int = Field(default=50, ge=1)
    batch_size: int = Field(default=32, ge=2)
    latent: int = Field(default=100, ge=1, le=4096)
    learning_rate: float = Field(default=2e-4, gt=0)
    beta1: float = Field(default=0.5, ge=0, lt=1)
    held_out: float = Field(default=0.2, gt=0, lt=1)
    scored: int = Field(default=256, ge=2)


class SameConvTranspose(nn.ConvTranspose2d):
    """5×5, no bias, "same": the output is `stride` times the input, cropped at the end where the padding of
    stride 2 is uneven."""

    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__(channels, filters, 5, stride=stride, padding=3 - stride, bias=False)

    def forward(self, input: torch.Tensor, output_size: list[int] | None = None) -> torch.Tensor:
        """(B, C, H, W) -> (B, filters, stride·H, stride·W)."""
        full = super().forward(input, output_size)
        return full if self.stride[0] == 1 else full[:, :, :-1, :-1]


def build_generator(latent: int) -> nn.Sequential:
    """Latent vectors (B, z) -> pictures in [-1, 1], (B, 3, 56, 56)."""
    generator = nn.Sequential(
        nn.Linear(latent, 7 * 7 * 128, bias=False),
        nn.BatchNorm1d(7 * 7 * 128, eps=1e-3, momentum=0.2),
        nn.LeakyReLU(0.3),
        nn.Unflatten(1, (128, 7, 7)),
        *_upwards(128, 128, stride=1),  # (B, 128, 7, 7)
        *_upwards(128, 256, stride=2),  # (B, 256, 14, 14)
        *_upwards(256, 512, stride=2),  # (B, 512, 28, 28)
        SameConvTranspose(512, 3, stride=2),  # (B, 3, 56, 56)
        nn.Tanh(),
    )
    return generator.apply(_as_keras_starts)


def build_discriminator() -> nn.Sequential:
    """Pictures (B, 3, 56, 56) -> logits (B, 1), high for real ones."""
    discriminator = nn.Sequential(
        *_downwards(3, 64),  # (B, 64, 28, 28)
        *_downwards(64, 128),  # (B, 128, 14, 14)
        nn.Flatten(),
        nn.Linear(14 * 14 * 128, 1),
    )
    return discriminator.apply(_as_keras_starts)


def _upwards(channels: int, filters: int, stride: int) -> list[nn.Module]:
    return [
        SameConvTranspose(channels, filters, stride),
        nn.BatchNorm2d(filters, eps=1e-3, momentum=0.2),
        nn.LeakyReLU(0.3),
    ]


def _downwards(channels: int, filters: int) -> list[nn.Module]:
    return [
        nn.ZeroPad2d((1, 2, 1, 2)),
        nn.Conv2d(channels, filters, 5, stride=2),
        nn.LeakyReLU(0.3),
        nn.Dropout(0.3),
    ]


def _as_keras_starts(layer: nn.Module) -> None:
    if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


class Dcgan:
    """The family `dcgan`. A batch is (pixels as uint8 (B, 3, 56, 56),)."""

    name = "dcgan"
    task = "unconditional-image-generation"
    metrics = ("frechet_pixels", "diversity")

    def configure(self, config: Mapping[str, Any]) -> DcganConfig:
        """Check the config and fill in defaults. Raises InvalidModel."""
        return read_config(DcganConfig, config)

    def examples(self, files: Files, config: DcganConfig) -> Examples:
        """Decode all pictures, whatever their folders; the held-out ones only serve to score. Raises
        InvalidData that names the files."""
        keys = picture_keys(files)
        if len(keys) < _ENOUGH:
            raise InvalidData(
                f"the data has {len(keys)} pictures", fix=f"{_ENOUGH} are the least, thousands are better"
            )
        pixels = torch.from_numpy(read_pictures(files, keys, _square)).permute(0, 3, 1, 2)
        is_test = torch.tensor(held_out(keys, [""] * len(keys), config.held_out))
        return Examples(
            (pixels[~is_test].contiguous(),), (pixels[is_test].contiguous(),), {"pictures": len(keys)}
        )

    def build(self, config: DcganConfig, about: Mapping[str, Any]) -> nn.ModuleDict:
        """Two networks, `generator` and `discriminator`."""
        return nn.ModuleDict(
            {"generator": build_generator(config.latent), "discriminator": build_discriminator()}
        )

    def optimizers(self, networks: nn.ModuleDict, config: DcganConfig) -> Mapping[str, torch.optim.Optimizer]:
        """Adam for each network."""
        return {
            name: torch.optim.Adam(network.parameters(), lr=config.learning_rate, betas=(config.beta1, 0.999))
            for name, network in networks.items()
        }

    def rate(self, done: float, config: DcganConfig) -> float:
        """Always 1: neither network may fall behind the other."""
        return 1.0

    def augment(self, batch: Batch, config: DcganConfig) -> Batch:
        """Pixels to [-1, 1], with nothing random: the generator would learn it."""
        return (batch[0].float() / 127.5 - 1,)

    def losses(
        self, networks: nn.ModuleDict, batch: Batch, config: DcganConfig
    ) -> Iterator[tuple[str, torch.Tensor]]:
        """The discriminator's loss, then the non-saturating loss of the generator, which sees the
        discriminator as just stepped."""
        generator, discriminator = networks["generator"], networks["discriminator"]
        (real,) = batch
        fake = generator(torch.randn(len(real), config.latent, device=real.device))
        yield (
            "discriminator",
            _cross_entropy(discriminator(real), 1.0) + _cross_entropy(discriminator(fake.detach()), 0.0),
        )
        discriminator.requires_grad_(False)  # spares its weight gradients, which nobody would use
        loss = _cross_entropy(discriminator(fake), 1.0)
        discriminator.requires_grad_(True)
        yield "generator", loss

    def score(self, networks: nn.ModuleDict, examples: Examples, config: DcganConfig) -> Mapping[str, float]:
        """frechet_pixels: Fréchet distance between generated and held-out pictures, reduced to 8×8 pixels in
        [-1, 1]; smaller is better. diversity: mean distance between generated pictures over that between real
        ones; 1 is as varied, 0 is mode collapse."""
        fake = _reduced(_generate(networks["generator"], _latents(config.scored, config), config.batch_size))
        real, unseen = (_reduced(part[0].float() / 127.5 - 1) for part in (examples.train, examples.held_out))
        varied = diversity(real[: config.scored])
        return {
            "frechet_pixels": frechet_distance(unseen, fake),
            "diversity": diversity(fake) / max(varied, 1e-9),
        }

    def checkpoint_picture(
        self,
        networks: nn.ModuleDict,
        examples: Examples,
        config: DcganConfig,
    ) -> bytes | None:
        """A grid of 4×4 pictures, from the same latent vectors each time."""
        return to_grid(
            _to_pixels(_generate(networks["generator"], _latents(_GRID, config), config.batch_size))
        )

    def final_pictures(
        self,
        networks: nn.ModuleDict,
        examples: Examples,
        config: DcganConfig,
    ) -> Mapping[str, bytes]:
        """real.png, to compare the samples with."""
        chosen = torch.linspace(0, len(examples.train[0]) - 1, _GRID).long()
        return {"real.png": to_grid(examples.train[0][chosen].permute(0, 2, 3, 1).numpy())}

    def export(self, networks: nn.ModuleDict, examples: Examples, config: DcganConfig) -> Export:
        """The generator; samples are latent vectors in full, so that they mean the same everywhere."""
        latent = (_latents(_SAMPLES, config) * 1e4).round() / 1e4
        latent_input = Tensor("latent", "FP32", (-1, config.latent), "latent", {"size": config.latent})
        image = Tensor("image", "FP32", (-1, 3, SIDE, SIDE), "image", {"low": -1, "high": 1})
        return Export(
            module=networks["generator"].cpu().eval(),
            signature=Signature((latent_input,), (image,)),
            samples=tuple({"latent": [round(value, 4) for value in row]} for row in latent.tolist()),
            sample_inputs=(latent,),
        )


def _square(picture: Image.Image) -> Image.Image:
    """The middle square, at 56×56, in RGB."""
    width, height = picture.size
    whole = fit(picture, "RGB", width, height)
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return whole.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))


def _cross_entropy(logits: torch.Tensor, target: float) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def _latents(count: int, config: DcganConfig) -> torch.Tensor:
    """Latent vectors (count, z) that are the same for the same seed."""
    return torch.randn(count, config.latent, generator=torch.Generator().manual_seed(config.seed))


def _generate(generator: nn.Module, latent: torch.Tensor, batch_size: int) -> torch.Tensor:
    """Pictures (B, 3, 56, 56) on the CPU."""
    device = device_of(generator)
    return torch.cat([generator(part.to(device)).float().cpu() for part in torch.split(latent, batch_size)])


def _reduced(pictures: torch.Tensor) -> torch.Tensor:
    """(B, 3, 56, 56) -> (B, 192), in float64."""
    return F.adaptive_avg_pool2d(pictures, 8).flatten(1).double()


def _to_pixels(pictures: torch.Tensor) -> Pixels:
    pixels: Pixels = ((pictures + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
    return pixels
