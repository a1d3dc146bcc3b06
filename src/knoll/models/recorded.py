"""The fields of a Model that say which of its requests are kept, to be replayed to its next versions."""

from typing import Annotated

from pydantic import Field

from knoll.models.dataset import Spec
from knoll.models.units import unit

__all__ = ["RecordedSpec"]

_Name = Annotated[str, Field(min_length=1, max_length=100)]


class RecordedSpec(Spec):
    """Which requests are kept, and what of them is not."""

    share: Annotated[int, unit("percent")] = Field(
        default=1,
        ge=1,
        le=100,
        description="Which part of the V1 requests that the champion has answered well is kept",
    )
    keep: Annotated[int, unit("requests")] = Field(
        default=200,
        ge=50,
        le=1000,
        description="How many are kept; newer ones take the place of older ones",
    )
    redact: Annotated[tuple[_Name, ...], Field(strict=False, max_length=32)] = Field(
        default=(),
        description="Inputs whose values no predictor gives away: zeros, or a black picture, are kept for "
        "them. For families with several inputs",
        json_schema_extra={"unit": "names", "range": "inputs of the family"},
    )
