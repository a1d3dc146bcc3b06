"""Trainings of tests that draw nothing that depends on device, precision or layout, so that losses can be
compared; and their data."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from knoll.families.base import Examples, Family
from knoll.families.dcgan.declaration import DcganConfig
from knoll.families.dcgan.family import Dcgan
from knoll.families.dcgan.networks import SIDE
from knoll.trainer.acceleration import Acceleration
from knoll.trainer.checkpoints import UNSAVED, StateKeeper
from knoll.trainer.loop import Trained, train_networks

__all__ = ["STILL_IMAGE", "StillDcgan", "colours", "losses", "quarters", "train_silently"]

STILL_IMAGE = {"batchSize": 8, "width": 4, "dropout": 0.0, "noise": 0.0, "shift": 0.0}


class StillDcgan(Dcgan):
    """Without dropout."""

    def build(self, config: DcganConfig, about: Mapping[str, Any]) -> nn.ModuleDict:
        networks = super().build(config, about)
        for one in networks.modules():
            if isinstance(one, nn.Dropout):
                one.p = 0.0
        return networks


def train_silently(
    family: Family[Any],
    config: Mapping[str, Any],
    examples: Examples,
    device: torch.device,
    how: Acceleration,
    keeper: StateKeeper | None = None,
    stop_after: int = 0,
) -> Trained:
    """Train, and tell nobody. If it is to `stop_after` so many looks, it raises Terminated then."""
    looks = iter(range(1, 10_000))
    return train_networks(
        *(family, examples, family.configure(config)),
        device=device,
        report=lambda *_: None,
        say=lambda _: None,
        keeper=keeper or UNSAVED,
        how=how,
        is_asked_to_stop=lambda: bool(stop_after) and next(looks) >= stop_after,
    )


def losses(trained: Trained) -> list[float]:
    """Those of the training and of what is held out, at each point."""
    points = trained.curves.points
    return [loss for one in points for loss in (*one.train.values(), *one.held_out.values())]


def quarters(rows: int, side: int) -> Examples:
    """Grey pictures whose class is the quarter that is bright."""
    pixels, classes, half = _noise(rows, 1, side) // 3, torch.arange(rows) % 4, side // 2
    for number in range(4):
        up, left = (half * place for place in divmod(number, 2))
        pixels[classes == number, :, up : up + half, left : left + half] += 150
    about = {"classes": [*"0123"], "mode": "L", "width": side, "height": side, "mean": [0.3], "std": [0.3]}
    return Examples((pixels, classes), (pixels[:8], classes[:8]), about)


def colours(rows: int) -> Examples:
    """Pictures of the size that a DCGAN draws."""
    pixels = _noise(rows, 3, SIDE)
    return Examples((pixels,), (pixels[:8],))


def _noise(rows: int, channels: int, side: int) -> torch.Tensor:
    chance = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (rows, channels, side, side), generator=chance, dtype=torch.uint8)
