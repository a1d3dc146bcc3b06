"""The served generator makes a picture of a latent vector."""

from collections.abc import Mapping

import torch
from torch import nn

from knoll.codecs.latent import LATENT
from knoll.codecs.picture import IMAGE
from knoll.families.base import Batch, Examples, Export, ExportPart
from knoll.families.dcgan.declaration import DcganConfig
from knoll.families.dcgan.networks import SIDE, draw_latents, generate
from knoll.families.pictures import Pixels, to_grid
from knoll.records.signature import Signature, Tensor

__all__ = ["DcganExport"]

_GRID = 16
_SAMPLES = 4


class DcganExport(ExportPart[DcganConfig]):
    """A latent vector in, a picture out."""

    def milestone_picture(
        self, networks: nn.ModuleDict, examples: Examples, config: DcganConfig
    ) -> bytes | None:
        """A grid of 4×4 pictures, from the same latent vectors each time."""
        latents = draw_latents(_GRID, config.latent, config.seed)
        return to_grid(_to_pixels(generate(networks["generator"], latents, config.batch_size)))

    def final_pictures(
        self, networks: nn.ModuleDict, examples: Examples, config: DcganConfig
    ) -> Mapping[str, bytes]:
        """real.png: real pictures, to compare the samples with."""
        chosen = torch.linspace(0, len(examples.train[0]) - 1, _GRID).long()
        return {"real.png": to_grid(examples.train[0][chosen].permute(0, 2, 3, 1).numpy())}

    def served_inputs(self, batch: Batch, config: DcganConfig) -> Batch:
        """Random latent vectors, one for each picture."""
        return (torch.randn(len(batch[0]), config.latent),)

    def export(self, networks: nn.ModuleDict, examples: Examples, config: DcganConfig) -> Export:
        """The generator. Samples are whole latent vectors, which mean the same everywhere."""
        latents = (draw_latents(_SAMPLES, config.latent, config.seed) * 1e4).round() / 1e4
        latent = Tensor("latent", "FP32", (-1, config.latent), LATENT.name, {"size": config.latent})
        image = Tensor("image", "FP32", (-1, 3, SIDE, SIDE), IMAGE.name, {"low": -1, "high": 1})
        return Export(
            module=networks["generator"].cpu().eval(),
            signature=Signature((latent,), (image,)),
            samples=tuple({"latent": [round(value, 4) for value in row]} for row in latents.tolist()),
            sample_inputs=(latents,),
        )


def _to_pixels(pictures: torch.Tensor) -> Pixels:
    pixels: Pixels = ((pictures + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
    return pixels
