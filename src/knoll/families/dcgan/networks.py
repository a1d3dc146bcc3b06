"""The generator and the discriminator, for pictures of 56×56 pixels.

The layers are those of a Keras model, so they have Keras's defaults: "same" padding, which for stride 2 pads
one more at the end, LeakyReLU with slope 0.3, batch norm with epsilon 0.001, Glorot-uniform kernels. Every
batch norm has Keras's momentum 0.8, which is 0.2 in torch.
"""

import torch
from torch import nn

from knoll.families.base import device_of

__all__ = [
    "SIDE",
    "SameConvTranspose",
    "build_discriminator",
    "build_generator",
    "draw_latents",
    "generate",
]

SIDE = 56


class SameConvTranspose(nn.ConvTranspose2d):
    """5×5, no bias, "same": the output is `stride` times the input. The padding of stride 2 is uneven, so the
    end is cropped."""

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
    return generator.apply(_start_as_keras)


def build_discriminator() -> nn.Sequential:
    """Pictures (B, 3, 56, 56) -> logits (B, 1), high for real ones."""
    discriminator = nn.Sequential(
        *_downwards(3, 64),  # (B, 64, 28, 28)
        *_downwards(64, 128),  # (B, 128, 14, 14)
        nn.Flatten(),
        nn.Linear(14 * 14 * 128, 1),
    )
    return discriminator.apply(_start_as_keras)


def draw_latents(count: int, size: int, seed: int) -> torch.Tensor:
    """Latent vectors (count, size), the same for the same seed."""
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed))


def generate(generator: nn.Module, latents: torch.Tensor, batch_size: int) -> torch.Tensor:
    """Pictures (B, 3, 56, 56) in [-1, 1], on the CPU."""
    device = device_of(generator)
    return torch.cat([generator(part.to(device)).float().cpu() for part in torch.split(latents, batch_size)])


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


def _start_as_keras(layer: nn.Module) -> None:
    if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
