"""The config of the image classifier."""

from typing import Literal

from pydantic import Field

from knoll.families.base import FamilyConfig

__all__ = ["ImageClassifierConfig"]


class ImageClassifierConfig(FamilyConfig):
    """`noise` is the standard deviation of the noise on pixels in [0, 1], `shift` the largest shift as a
    share of the side, `width` the number of channels of the first layer.

    Size and mode of the pictures come from the data unless they are given.
    """

    epochs: int = Field(default=12, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    dropout: float = Field(default=0.25, ge=0, lt=1)
    width: int = Field(default=16, ge=4, le=256)
    noise: float = Field(default=0.05, ge=0)
    shift: float = Field(default=0.1, ge=0, lt=0.5)
    flip: bool = False
    image_width: int | None = Field(default=None, ge=8, le=1024)
    image_height: int | None = Field(default=None, ge=8, le=1024)
    mode: Literal["L", "RGB"] | None = None
