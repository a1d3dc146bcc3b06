"""What the family of tables declares: its config, its metrics, the form of its data."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from knoll.families.declaration import (
    MOST_EPOCHS,
    ColumnName,
    ColumnNames,
    Declaration,
    FamilyConfig,
    Form,
    Metric,
    Scoring,
    form,
    less,
    more,
    unit,
)
from knoll.quoting import shown

__all__ = ["CLASSIFICATION", "REGRESSION", "TabularConfig", "TabularDeclaration"]

CLASSIFICATION, REGRESSION = "classification", "regression"


class TabularConfig(FamilyConfig):
    """Which column is learnt, which are left out, and the sizes of the network."""

    target: Annotated[ColumnName, form("name of a column")] = Field(description="The column that is learnt")
    task: Annotated[
        Literal["classification", "regression"] | None,
        unit("", none="regression if the target has numbers, and more than two different ones"),
    ] = Field(default=None, description="Whether the answer is a class or a number")
    leave_out: ColumnNames = Field(default=(), description="Columns that are not learnt from")
    categories: ColumnNames = Field(
        default=(), description="Columns that are categories although they have numbers, such as codes"
    )
    slices: ColumnNames = Field(
        default=(),
        description="Columns for each value of which the version is scored; they may be left out of learning",
    )
    group_by: Annotated[ColumnName | None, form("name of a column", none="the content of a row")] = Field(
        default=None,
        description="Rows with the same value here, such as those of one patient, are on one side: all "
        "are learnt from, or all held out",
    )
    missing: Annotated[
        tuple[str, ...],
        Field(strict=False, max_length=100, json_schema_extra={"unit": "texts", "range": "any texts"}),
    ] = Field(default=(), description="Further texts that stand for nothing, such as `?`; see Data")
    epochs: Annotated[int, unit("passes")] = Field(
        default=40, ge=1, le=MOST_EPOCHS, description="How often the training goes through the data"
    )
    batch_size: Annotated[int, unit("rows")] = Field(
        default=128, ge=2, le=2**20, description="Rows of one step, shared by all processes"
    )
    weight_decay: Annotated[float, unit("none")] = Field(
        default=1e-2, ge=0, le=100, description="Weight decay of AdamW"
    )
    width: Annotated[int, unit("numbers")] = Field(
        default=64, ge=4, le=4096, description="Numbers between two blocks of the network"
    )
    blocks: Annotated[int, unit("blocks")] = Field(default=2, ge=0, le=64, description="Residual blocks")
    embedding: Annotated[int, unit("numbers")] = Field(
        default=6, ge=1, le=256, description="Numbers that stand for a category"
    )
    dropout: Annotated[float, unit("share")] = Field(
        default=0.2, ge=0, lt=1, description="Share of the values that each dropout layer sets to zero"
    )
    learning_rate: Annotated[float, unit("none")] = Field(
        default=2e-3, gt=0, le=1, description="Size of a step of AdamW, at the start"
    )
    unseen: Annotated[float, unit("share")] = Field(
        default=0.02,
        ge=0,
        lt=1,
        description="Share of the categories that a step takes for unseen ones, to learn what to answer then",
    )

    @field_validator("leave_out", "slices", "group_by")
    @classmethod
    def _not_the_target(
        cls, named: tuple[str, ...] | str | None, info: ValidationInfo
    ) -> tuple[str, ...] | str | None:
        """The target is learnt, and it is no input."""
        target = info.data.get("target")
        if target in ((named,) if isinstance(named, str) else named or ()):
            raise ValueError(f"names {shown(target)}, which is the target: name another column")
        return named

    @field_validator("categories")
    @classmethod
    def _are_learnt(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        """Categories are inputs, or the target of a classification."""
        if info.data.get("task") == REGRESSION and (target := info.data.get("target")) in names:
            raise ValueError(f"names the target {shown(target)}, and regression learns a number")
        if both := [name for name in names if name in info.data.get("leave_out", ())]:
            raise ValueError(f"names {shown(both[0])}, which leaveOut names, too: name it in one of them")
        return names

    @property
    def tasks(self) -> tuple[str, ...]:
        """Those that the data may lead to."""
        if self.task:
            return (self.task,)
        return (CLASSIFICATION,) if self.target in self.categories else (CLASSIFICATION, REGRESSION)


_OF_CLASSES = (
    more("auroc", 0, 1),
    more("accuracy", 0, 1),
    more("macro_f1", 0, 1),
    less("loss", 0),
    less("calibration_error", 0, 1),
)
_OF_NUMBERS: tuple[Metric, ...] = (
    less("rmse", 0),
    less("mae", 0),
    more("r2", most=1),
    more("coverage", 0, 1, is_ideal=True),  # the interval learns to hold less
)


class TabularDeclaration(Declaration[TabularConfig]):
    """See `Declaration`."""

    name = "tabular"
    task = "tabular-classification"
    metrics = (*_OF_CLASSES, *_OF_NUMBERS)
    config_type = TabularConfig
    has_slices = True
    answers_classes = True
    use = "It tells a class, or a number, from the columns of a row."
    limits = (
        "It answers any row, also one far from all that it has learnt from.",
        "Probabilities and intervals hold for rows like those of the data, and for no others.",
    )
    precisions = ("bf16", "fp16")
    form = Form(takes_tables=True)

    def scorings(self, config: TabularConfig | None) -> tuple[Scoring, ...]:
        """Those of the tasks that the config leaves open."""
        has_slices = config is None or bool(config.slices)
        numbers = Scoring(
            _OF_NUMBERS,
            REGRESSION,
            ""
            if has_slices
            else f"{REGRESSION} has metrics of parts of the rows only if slices names columns",
            f"an answer of {REGRESSION} is a number, and labels are of classes",
        )
        both = (Scoring(_OF_CLASSES, CLASSIFICATION), numbers)
        return both if config is None else tuple(one for one in both if one.name in config.tasks)

    def least_weights(self, config: TabularConfig) -> int:
        """Those of the residual blocks, each with two layers and a norm."""
        width = config.width
        return config.blocks * (4 * width**2 + 5 * width)

    def columns(self, config: TabularConfig) -> Mapping[str, Sequence[str]]:
        """All that the config names."""
        return {
            "target": (config.target,),
            "leaveOut": config.leave_out,
            "categories": config.categories,
            "slices": config.slices,
            "groupBy": (config.group_by,) if config.group_by else (),
        }
