"""A small convolutional network.

Normalisation belongs to the network, as buffers. So the served graph takes plain pixels in [0, 1], and nobody
can normalise twice.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from knoll.families.base import Columns, device_of, parts

__all__ = ["Classifier", "classify"]


class Classifier(nn.Module):
    """Blocks of convolution, batch norm and ReLU, with 2×2 max pooling until the shorter side is below 8;
    then two dense layers."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, about: Mapping[str, Any], width: int, dropout: float) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(about["mean"]).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(about["std"]).view(1, -1, 1, 1))
        rows, columns, channels = about["height"], about["width"], len(about["mean"])
        layers = [*_block(channels, width), *_block(width, 2 * width)]
        channels = 2 * width
        while min(rows, columns) >= 8:
            rows, columns, wider = rows // 2, columns // 2, min(2 * channels, 16 * width)
            layers += [nn.MaxPool2d(2), *_block(channels, wider)]
            channels = wider
        self.features = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(channels * rows * columns, 128),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(128, len(about["classes"])),
        )

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels in [0, 1], (B, C, H, W) -> logits (B, K)."""
        logits: torch.Tensor = self.head(self.features((pixels - self.mean) / self.std))
        return logits


def _block(channels: int, wider: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, wider, 3, padding=1, bias=False), nn.BatchNorm2d(wider), nn.ReLU()]


def classify(classifier: nn.Module, batch: Columns, batch_size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (N, K) and class numbers (N,) of a batch of examples, on the CPU."""
    pixels, targets = batch
    device = device_of(classifier)
    logits = [classifier(part.to(device).float() / 255).float().cpu() for part in parts(pixels, batch_size)]
    return torch.cat(logits), targets[:].cpu()
