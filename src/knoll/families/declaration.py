"""What a family declares: its name, config, metrics and the form of its data.

Nothing here needs torch. So a Model is checked in a moment, also where nothing can be trained.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from knoll.data_files import normal
from knoll.data_layout import Form
from knoll.errors import InvalidModel
from knoll.models.units import form, unit
from knoll.models.wording import faults_of_fields
from knoll.quoting import shown
from knoll.tables.limits import LONGEST_NAME, MOST_COLUMNS

__all__ = [
    "MOST_EPOCHS",
    "MOST_HELD_OUT",
    "ColumnName",
    "ColumnNames",
    "ConfigT",
    "Declaration",
    "FamilyConfig",
    "Form",
    "Metric",
    "Scoring",
    "form",
    "less",
    "more",
    "unit",
]

MOST_EPOCHS = 1_000_000  # more is a slip of the pen
MOST_HELD_OUT = 0.9  # a share; with more there is hardly anything to learn from


def _name(name: str) -> str:
    if not name.strip():
        raise ValueError(f"must be the name of a column, not {shown(name)}")
    if name != name.strip():
        raise ValueError(f"{shown(name)} has blanks at its ends; did you mean {name.strip()}?")
    return normal(name)


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"names {shown(twice[0])} twice: name each column once")
    if any(not name for name in names):
        raise ValueError("must have names of columns, and one of them is empty")
    return tuple(map(normal, names))


ColumnName = Annotated[str, Field(max_length=LONGEST_NAME), AfterValidator(_name)]
ColumnNames = Annotated[
    tuple[Annotated[str, Field(max_length=LONGEST_NAME)], ...],
    Field(
        strict=False,
        max_length=MOST_COLUMNS,
        json_schema_extra={"unit": "columns", "range": "names of columns"},
    ),
    AfterValidator(_each_once),
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
        default=0.2, gt=0, le=MOST_HELD_OUT, description="Share of the examples that is kept for scoring"
    )


ConfigT = TypeVar("ConfigT", bound=FamilyConfig)


@dataclass(frozen=True)
class Metric:
    """A number that `score` returns: whether more or less of it is better, and its range.

    A share may reach both ends of its range, unless its best value `is_ideal`: nothing that learns has it. A
    metric without an end on the other side, such as a loss, only comes near to its best value, too.
    """

    name: str
    better: Literal["more", "less"]
    least: float = -math.inf
    most: float = math.inf
    is_ideal: bool = False

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
        return self.width < math.inf and not self.is_ideal

    @property
    def range(self) -> str:
        """ "0..1" or "≥ 0"."""
        if self.most < math.inf:
            return f"{self.least:g}..{self.most:g}"
        return f"≥ {self.least:g}" if self.least > -math.inf else "any number"


def more(name: str, least: float = -math.inf, most: float = math.inf, *, is_ideal: bool = False) -> Metric:
    """A metric where more is better, such as accuracy, from 0 to 1."""
    return Metric(name, "more", least, most, is_ideal)


def less(name: str, least: float = -math.inf, most: float = math.inf) -> Metric:
    """A metric where less is better, such as a loss, from 0 on."""
    return Metric(name, "less", least, most)


@dataclass(frozen=True)
class Scoring:
    """What one training scores. `name` tells it from the others of its family, such as "regression".
    `no_slices` says why parts of the examples have no metrics, and `no_labels` why true labels cannot be
    compared with answers; "" if they can."""

    metrics: tuple[Metric, ...]
    name: str = ""
    no_slices: str = ""
    no_labels: str = ""


class Declaration(Generic[ConfigT]):
    """What is known of a family without its networks."""

    name: str  # what `spec.family` says; `FAMILIES` and the docs page have the same name
    task: str  # as the Hugging Face hub names it, for the model card: image-classification, ...
    metrics: tuple[Metric, ...]  # what `score` returns, and a gate can ask for: `(less("mse", 0),)`
    config_type: type[ConfigT]  # the class of the config
    fields: tuple[str, ...] = ()  # its inputs, if there are several: what `rollout.recorded.redact` may name
    has_slices: bool = False  # whether parts of the examples have metrics of their own: `score_slices`
    answers_classes: bool = False  # whether answers are classes, so that true labels can decide
    use: str = ""  # what a model of it is for, as a sentence of the model card
    limits: tuple[str, ...] = ()  # what it cannot, as sentences of the model card
    precisions: tuple[str, ...] = ("bf16",)  # below fp32, in which it learns: of bf16 and fp16
    form: Form = Form()  # which keys are data: `Form(takes_pictures=True, has_classes=True)`

    def scorings(self, config: ConfigT | None) -> tuple[Scoring, ...]:
        """What a training with this config scores. If the data decides, all that are possible. None stands
        for any config."""
        slices = f"the family {self.name} has no metrics of parts of the examples"
        labels = f"an answer of the family {self.name} is no class, so no label says whether it is right"
        return (
            Scoring(
                self.metrics,
                no_slices="" if self.has_slices else slices,
                no_labels="" if self.answers_classes else labels,
            ),
        )

    def least_weights(self, config: ConfigT) -> int:
        """How many weights the networks have at least, whatever the data is; 0 if nobody knows."""
        return 0

    def columns(self, config: ConfigT) -> Mapping[str, Sequence[str]]:
        """The columns that tables must have, by the field that names them. `target` is learnt: a row
        without it is bad."""
        return {}

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
