"""The config of a family: the fields of `spec.training.config`, and how faults in them are told."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from knoll.errors import InvalidModel
from knoll.models.wording import faults_of_fields

__all__ = ["ConfigT", "FamilyConfig", "read_config"]


class FamilyConfig(BaseModel):
    """The fields that every family has. A family adds its own, and may change defaults.

    A Model document has them in camel case. Unknown fields are faults. `make docs` shows each `description`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)

    epochs: int = Field(default=10, ge=1, description="How often the training goes through the data")
    batch_size: int = Field(
        default=64, ge=2, description="Examples of one step, shared by all processes that train together"
    )
    seed: int = Field(
        default=0, ge=0, lt=2**63, description="Seed of all random numbers: weights, order of the data, noise"
    )
    learning_rate: float = Field(default=1e-3, gt=0, description="Size of a step of the optimiser")
    held_out: float = Field(
        default=0.2, gt=0, lt=1, description="Share of the examples that is kept for scoring"
    )


ConfigT = TypeVar("ConfigT", bound=FamilyConfig)


def read_config(kind: type[ConfigT], config: Mapping[str, Any]) -> ConfigT:
    """Read spec.training.config. Raises InvalidModel that lists every fault with its path."""
    try:
        return kind.model_validate(dict(config))
    except ValidationError as error:
        faults = faults_of_fields(error, kind, "spec.training.config")
    known = ", ".join(field.alias or name for name, field in kind.model_fields.items())
    raise InvalidModel(
        "the training config has faults:\n  " + "\n  ".join(faults), fix=f"the family knows: {known}"
    )
