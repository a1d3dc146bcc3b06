"""What the image classifier declares: its config, its metrics, the form of its data."""

from typing import Annotated, Literal

from pydantic import Field

from knoll.families.declaration import MOST_EPOCHS, Declaration, FamilyConfig, Form, less, more, unit

__all__ = ["ImageClassifierConfig", "ImageDeclaration"]

_SIDE = unit("pixels", none="that of most pictures, or less")


class ImageClassifierConfig(FamilyConfig):
    """Size and mode of the pictures come from the data unless they are given."""

    epochs: Annotated[int, unit("passes")] = Field(
        default=12, ge=1, le=MOST_EPOCHS, description="How often the training goes through the data"
    )
    learning_rate: Annotated[float, unit("none")] = Field(
        default=2e-3, gt=0, le=1, description="Size of a step of AdamW, at the start"
    )
    weight_decay: Annotated[float, unit("none")] = Field(
        default=1e-2, ge=0, le=100, description="Weight decay of AdamW"
    )
    dropout: Annotated[float, unit("share")] = Field(
        default=0.25, ge=0, lt=1, description="Share of the values that each dropout layer sets to zero"
    )
    width: Annotated[int, unit("channels")] = Field(
        default=16, ge=4, le=256, description="Channels of the first layer"
    )
    noise: Annotated[float, unit("pixel value")] = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Standard deviation of the noise on pixels, which are from 0 to 1",
    )
    shift: Annotated[float, unit("share of the side")] = Field(
        default=0.1, ge=0, lt=0.5, description="Largest random shift, as a share of the picture's side"
    )
    flip: bool = Field(default=False, description="Whether half of the pictures are mirrored, left to right")
    image_width: Annotated[int | None, _SIDE] = Field(
        default=None,
        ge=8,
        le=1024,
        description="Width at which the pictures are learnt; see Data",
    )
    image_height: Annotated[int | None, _SIDE] = Field(
        default=None,
        ge=8,
        le=1024,
        description="Height at which the pictures are learnt; see Data",
    )
    mode: Annotated[Literal["L", "RGB"] | None, unit("", none="grey if all pictures are, else RGB")] = Field(
        default=None, description="`L` is grey, `RGB` has colours"
    )


class ImageDeclaration(Declaration[ImageClassifierConfig]):
    """See `Declaration`."""

    name = "image-classifier"
    task = "image-classification"
    metrics = (more("accuracy", 0, 1), less("loss", 0), more("macro_f1", 0, 1))
    config_type = ImageClassifierConfig
    has_slices = True
    answers_classes = True
    use = "It tells which of its classes a picture belongs to."
    limits = ("It always answers with one of its classes, also to a picture of something else.",)
    precisions = ("bf16", "fp16")
    form = Form(takes_pictures=True, has_classes=True)
