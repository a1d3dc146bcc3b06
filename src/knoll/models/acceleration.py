"""The fields of a Model that say how its trainings compute."""

from typing import Annotated, Literal

from pydantic import Field

from knoll.models.dataset import Spec
from knoll.models.units import unit

__all__ = ["AccelerateSpec"]

_RULE = unit("", none="as the rule chooses")


class AccelerateSpec(Spec):
    """How a training computes. Of what is left out, a rule chooses by the device."""

    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        default="auto",
        description="The numbers of the networks while they learn; weights stay in `fp32`. `auto` is as the "
        "rule chooses",
    )
    tf32: Annotated[bool | None, _RULE] = Field(
        default=None, description="Whether a GPU rounds the factors of products in `fp32` to 10 bits"
    )
    channels_last: Annotated[bool | None, _RULE] = Field(
        default=None, description="Whether the channels of a pixel lie side by side in memory"
    )
    fused: Annotated[bool | None, _RULE] = Field(
        default=None, description="Whether an optimiser steps in one kernel: Adam, AdamW and SGD"
    )
    compile: Annotated[bool | None, _RULE] = Field(
        default=None, description="Whether `torch.compile` translates the networks first"
    )
    cuda_graphs: Annotated[bool | None, _RULE] = Field(
        default=None,
        description="Whether a GPU repeats a recorded step, without Python. Whatever a family does with "
        "other than tensors is then done once",
    )
