"""What the image classifier declares: its config, its metrics, the form of its data."""

from typing import Literal

from pydantic import Field

from knoll.families.declaration import Declaration, FamilyConfig, Form, less, more

__all__ = ["ImageClassifierConfig", "ImageDeclaration"]


class ImageClassifierConfig(FamilyConfig):
    """Size and mode of the pictures come from the data unless they are given."""

    epochs: int = Field(default=12, ge=1, description="How often the training goes through the data")
    learning_rate: float = Field(default=2e-3, gt=0, description="Size of a step of AdamW, at the start")
    weight_decay: float = Field(default=1e-2, ge=0, description="Weight decay of AdamW")
    dropout: float = Field(
        default=0.25, ge=0, lt=1, description="Share of the values that each dropout layer sets to zero"
    )
    width: int = Field(default=16, ge=4, le=256, description="Channels of the first layer")
    noise: float = Field(
        default=0.05, ge=0, description="Standard deviation of the noise on pixels, which are from 0 to 1"
    )
    shift: float = Field(
        default=0.1, ge=0, lt=0.5, description="Largest random shift, as a share of the picture's side"
    )
    flip: bool = Field(default=False, description="Whether half of the pictures are mirrored, left to right")
    image_width: int | None = Field(
        default=None,
        ge=8,
        le=1024,
        description="Width in pixels; by default that of most pictures, or less: see Data",
    )
    image_height: int | None = Field(
        default=None,
        ge=8,
        le=1024,
        description="Height in pixels; by default that of most pictures, or less: see Data",
    )
    mode: Literal["L", "RGB"] | None = Field(
        default=None, description="`L` is grey; by default grey if all pictures are, else RGB"
    )


class ImageDeclaration(Declaration[ImageClassifierConfig]):
    """See `Declaration`."""

    name = "image-classifier"
    task = "image-classification"
    metrics = (more("accuracy", 0, 1), less("loss", 0), more("macro_f1", 0, 1))
    config_type = ImageClassifierConfig
    form = Form(takes_pictures=True, has_classes=True)
