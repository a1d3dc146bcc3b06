"""What a family declares: its name, config, metrics and the form of its data.

Nothing here needs torch. So a Model is checked in a moment, also where nothing can be trained.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from knoll.data_layout import Form
from knoll.errors import InvalidModel
from knoll.models.units import form, unit
from knoll.models.wording import faults_of_fields

__all__ = [
    "MOST_EPOCHS",
    "ColumnNames",
    "ConfigT",
    "Declaration",
    "FamilyConfig",
    "Form",
    "Metric",
    "form",
    "less",
    "more",
    "unit",
]

MOST_EPOCHS = 1_000_000  # more is a slip of the pen
ColumnNames = Annotated[
    tuple[str, ...],
    Field(strict=False, max_length=1000, json_schema_extra={"unit": "columns", "range": "names of columns"}),
]


class FamilyConfig(BaseModel):
    """The fields that every family has. A family adds its own, and may change defaults.

    A Model document has them in camel case. Unknown fields are faults, and no type is converted: "10", true
    and 10 would be one training with three identities. Documents and faults show the unit, range, default
    and description of each.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, alias_generator=to_camel
    )

    epochs: Annotated[int, unit("passes")] = Field(
        default=10, ge=1, le=MOST_EPOCHS, description="How often the training goes through the data"
    )
    batch_size: Annotated[int, unit("examples")] = Field(
        default=64,
        ge=2,
        le=2**20,
        description="Examples of one step, shared by all processes that train together",
    )
    seed: Annotated[int, unit("none")] = Field(
        default=0, ge=0, lt=2**63, description="Seed of all random numbers: weights, order of the data, noise"
    )
    learning_rate: Annotated[float, unit("none")] = Field(
        default=1e-3, gt=0, le=1, description="Size of a step of the optimiser"
    )
    held_out: Annotated[float, unit("share")] = Field(
        default=0.2, gt=0, lt=1, description="Share of the examples that is kept for scoring"
    )


ConfigT = TypeVar("ConfigT", bound=FamilyConfig)


@dataclass(frozen=True)
class Metric:
    """A number that `score` returns: whether more or less of it is better, and its range.

    A share may reach both ends of its range. A metric without an end on the other side, such as a loss, only
    comes near to its best value.
    """

    name: str
    better: Literal["more", "less"]
    least: float = -math.inf
    most: float = math.inf

    @property
    def width(self) -> float:
        """How far two values can lie apart."""
        return self.most - self.least

    @property
    def best(self) -> float:
        """The end of the range where a version is best; it may be infinite."""
        return self.most if self.better == "more" else self.least

    @property
    def reaches_best(self) -> bool:
        """Whether a version can have that value."""
        return self.width < math.inf

    @property
    def range(self) -> str:
        """ "0..1" or "≥ 0"."""
        if self.most < math.inf:
            return f"{self.least:g}..{self.most:g}"
        return f"≥ {self.least:g}" if self.least > -math.inf else "any number"


def more(name: str, least: float = -math.inf, most: float = math.inf) -> Metric:
    """A metric where more is better, such as accuracy, from 0 to 1."""
    return Metric(name, "more", least, most)


def less(name: str, least: float = -math.inf, most: float = math.inf) -> Metric:
    """A metric where less is better, such as a loss, from 0 on."""
    return Metric(name, "less", least, most)


class Declaration(Generic[ConfigT]):
    """What is known of a family without its networks."""

    name: str  # what `spec.family` says; `FAMILIES` and the docs page have the same name
    task: str  # as the Hugging Face hub names it, for the model card: image-classification, ...
    metrics: tuple[Metric, ...]  # what `score` returns, and a gate can ask for: `(less("mse", 0),)`
    config_type: type[ConfigT]  # the class of the config
    fields: tuple[str, ...] = ()  # its inputs, if there are several: what `rollout.recorded.redact` may name
    has_slices: bool = False  # whether parts of the examples have metrics of their own: `score_slices`
    use: str = ""  # what a model of it is for, as a sentence of the model card
    limits: tuple[str, ...] = ()  # what it cannot, as sentences of the model card
    form: Form = Form()  # which keys are data: `Form(takes_pictures=True, has_classes=True)`

    def configure(self, config: Mapping[str, Any]) -> ConfigT:
        """Check spec.training.config and fill in defaults. Raises InvalidModel that lists every fault."""
        kind = self.config_type
        try:
            return kind.model_validate_json(json.dumps(dict(config)))  # a list may become a tuple
        except ValidationError as error:
            faults = faults_of_fields(error, kind, "spec", "training", "config")
        known = ", ".join(field.alias or name for name, field in kind.model_fields.items())
        raise InvalidModel(
            "\n  ".join(["the training config has faults:", *map(str, faults)]),
            fix=f"the family knows: {known}",
            faults=faults,
        )
