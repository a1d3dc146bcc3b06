"""The config of the DCGAN."""

from pydantic import Field

from knoll.families.base import FamilyConfig

__all__ = ["DcganConfig"]


class DcganConfig(FamilyConfig):
    """`latent` is the size z of the generator's input, `scored` the number of generated pictures that are
    scored."""

    epochs: int = Field(default=50, ge=1)
    batch_size: int = Field(default=32, ge=2)
    learning_rate: float = Field(default=2e-4, gt=0)
    beta1: float = Field(default=0.5, ge=0, lt=1)
    latent: int = Field(default=100, ge=1, le=4096)
    scored: int = Field(default=256, ge=2)
