"""What the family of tables declares: its config, its metrics, the form of its data."""

from typing import Annotated, Literal

from pydantic import Field

from knoll.families.declaration import (
    MOST_EPOCHS,
    ColumnNames,
    Declaration,
    FamilyConfig,
    Form,
    form,
    less,
    more,
    unit,
)

__all__ = ["TabularConfig", "TabularDeclaration"]


class TabularConfig(FamilyConfig):
    """Which column is learnt, which are left out, and the sizes of the network."""

    target: Annotated[str, form("name of a column")] = Field(description="The column that is learnt")
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
    group_by: Annotated[str | None, form("name of a column", none="the content of a row")] = Field(
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


class TabularDeclaration(Declaration[TabularConfig]):
    """See `Declaration`."""

    name = "tabular"
    task = "tabular-classification"
    metrics = (
        more("auroc", 0, 1),
        more("accuracy", 0, 1),
        more("macro_f1", 0, 1),
        less("loss", 0),
        less("calibration_error", 0, 1),
        less("rmse", 0),
        less("mae", 0),
        more("r2", most=1),
        more("coverage", 0, 1),
    )
    config_type = TabularConfig
    has_slices = True
    use = "It tells a class, or a number, from the columns of a row."
    limits = (
        "It answers any row, also one far from all that it has learnt from.",
        "Probabilities and intervals hold for rows like those of the data, and for no others.",
    )
    form = Form(takes_tables=True)
