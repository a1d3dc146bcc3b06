"""What the DCGAN declares: its config, its metrics, the form of its data."""

from typing import Annotated

from pydantic import Field

from knoll.families.declaration import MOST_EPOCHS, Declaration, FamilyConfig, Form, less, more, unit

__all__ = ["DcganConfig", "DcganDeclaration"]


class DcganConfig(FamilyConfig):
    """The fields that the DCGAN adds, or gives another default."""

    epochs: Annotated[int, unit("passes")] = Field(
        default=50, ge=1, le=MOST_EPOCHS, description="How often the training goes through the data"
    )
    batch_size: Annotated[int, unit("pictures")] = Field(
        default=32,
        ge=2,
        le=2**20,
        description="Pictures of one step, shared by all processes that train together",
    )
    learning_rate: Annotated[float, unit("none")] = Field(
        default=2e-4, gt=0, le=1, description="Size of a step of Adam, for both networks"
    )
    beta1: Annotated[float, unit("none")] = Field(
        default=0.5, ge=0, lt=1, description="Decay of Adam's mean of the gradients"
    )
    latent: Annotated[int, unit("numbers")] = Field(
        default=100, ge=1, le=4096, description="Size of the vector that the generator draws a picture from"
    )
    scored: Annotated[int, unit("pictures")] = Field(
        default=256, ge=2, le=4096, description="How many drawn pictures are scored"
    )


class DcganDeclaration(Declaration[DcganConfig]):
    """See `Declaration`."""

    name = "dcgan"
    task = "unconditional-image-generation"
    metrics = (less("frechet_pixels", 0), more("diversity", 0))
    config_type = DcganConfig
    use = "It draws pictures like those of its training data."
    limits = (
        "Its pictures are judged at 8×8 pixels, so nothing is known of how real their details look.",
        "It may draw pictures that are close to some of its training data.",
    )
    precisions = ("bf16", "fp16")
    form = Form(takes_pictures=True)
