"""What the family of series declares: its config, its metrics, the form of its data."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field, field_validator

from knoll.families.declaration import (
    MOST_EPOCHS,
    MOST_HELD_OUT,
    ColumnName,
    ColumnNames,
    Declaration,
    FamilyConfig,
    Form,
    form,
    less,
    unit,
)

__all__ = ["TrafficConfig", "TrafficDeclaration"]


class TrafficConfig(FamilyConfig):
    """Which columns are read, how far is looked back and ahead, and the sizes of the network."""

    time: Annotated[
        ColumnName | None, form("name of a column", none="the only column of dates and times")
    ] = Field(default=None, description="The column that says when")
    series: Annotated[
        str | None, form("name of a column", none="the only column of texts; without one, each is a series")
    ] = Field(default=None, description="The column that names the series, in the long form; see Data")
    values: ColumnNames = Field(
        default=(), description="Columns of numbers that are learnt; all others, unless they are named"
    )
    events: ColumnNames = Field(
        default=(),
        description="Columns that are known in advance, such as a holiday: an event is on where there is "
        "something else than 0, false or nothing",
    )
    leave_out: ColumnNames = Field(default=(), description="Columns that are not read")
    missing: Annotated[
        tuple[str, ...],
        Field(strict=False, max_length=100, json_schema_extra={"unit": "texts", "range": "any texts"}),
    ] = Field(default=(), description="Further texts that stand for nothing, such as `?`")
    history: Annotated[int, unit("steps")] = Field(
        default=672, ge=2, le=20_000, description="How far a forecast looks back; four weeks of hours"
    )
    horizon: Annotated[int, unit("steps")] = Field(
        default=24, ge=1, le=2_000, description="How far a forecast looks ahead; a day of hours"
    )
    quantiles: Annotated[
        tuple[Annotated[float, Field(gt=0, lt=1)], ...],
        Field(strict=False, min_length=1, max_length=19, json_schema_extra={"unit": "shares"}),
    ] = Field(default=(0.1, 0.5, 0.9), description="What is answered: rising, with 0.5 among them")
    stride: Annotated[int, unit("steps")] = Field(
        default=5,
        ge=1,
        le=10_000,
        description="Steps from one window that is learnt from to the next: with 5, and 24 hours a day, "
        "forecasts begin at each hour",
    )
    epochs: Annotated[int, unit("passes")] = Field(
        default=10, ge=1, le=MOST_EPOCHS, description="How often the training goes through the windows"
    )
    batch_size: Annotated[int, unit("windows")] = Field(
        default=32, ge=2, le=2**20, description="Windows of one step, each with all series"
    )
    learning_rate: Annotated[float, unit("none")] = Field(
        default=2e-3, gt=0, le=1, description="Size of a step of AdamW, at the start"
    )
    held_out: Annotated[float, unit("share")] = Field(
        default=0.1,
        gt=0,
        le=MOST_HELD_OUT,
        description="Share of the time, at its end, that is kept for scoring",
    )
    width: Annotated[int, unit("numbers")] = Field(
        default=128, ge=4, le=4096, description="Numbers between two blocks of the network"
    )
    blocks: Annotated[int, unit("blocks")] = Field(default=2, ge=1, le=64, description="Residual blocks")
    dropout: Annotated[float, unit("share")] = Field(
        default=0.1, ge=0, lt=1, description="Share of the values that each dropout layer sets to zero"
    )
    weight_decay: Annotated[float, unit("none")] = Field(
        default=1e-2, ge=0, le=100, description="Weight decay of AdamW"
    )
    gaps: Annotated[float, unit("share")] = Field(
        default=0.02,
        ge=0,
        lt=1,
        description="Share of the histories that a step cuts short or hides, and of the values that it takes "
        "for gaps, to learn what to answer then",
    )

    @field_validator("quantiles")
    @classmethod
    def _rise(cls, found: tuple[float, ...]) -> tuple[float, ...]:
        if [*found] != sorted({*found}) or 0.5 not in found:
            raise ValueError("quantiles rise, and 0.5 is among them, as in [0.1, 0.5, 0.9]")
        return found


class TrafficDeclaration(Declaration[TrafficConfig]):
    """See `Declaration`."""

    name = "traffic-forecast"
    task = "time-series-forecasting"
    metrics = (
        less("wape", 0),
        less("pinball", 0),
        less("coverage_error", 0, 1),
    )
    config_type = TrafficConfig
    has_slices = True
    use = "It tells how series such as counts of cars go on, with quantiles for each step."
    limits = (
        "It knows the past and the calendar, and no cause: a storm or a closed road is a surprise to it.",
        "Quantiles hold for days like those of the data, and for no others.",
    )
    form = Form(takes_tables=True)

    def columns(self, config: TrafficConfig) -> Mapping[str, Sequence[str]]:
        """All that the config names."""
        return {
            "time": (config.time,) if config.time else (),
            "series": (config.series,) if config.series else (),
            "values": config.values,
            "events": config.events,
            "leaveOut": config.leave_out,
        }
