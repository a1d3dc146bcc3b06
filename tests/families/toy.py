"""The family `column-mean`: it learns the mean of a CSV column, and answers with the distance from it."""

import csv
import io
import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import nn

from knoll.errors import BadFiles
from knoll.families.base import (
    Baseline,
    Batch,
    Examples,
    Family,
    FamilyConfig,
    Files,
    device_of,
    less,
    split_examples,
    unit,
)
from knoll.families.declaration import MOST_EPOCHS

__all__ = ["ColumnMean"]


class ColumnMeanConfig(FamilyConfig):
    """The fields of every family, `epochs` with another default, and `column`."""

    epochs: Annotated[int, unit("passes")] = Field(
        default=50, ge=1, le=MOST_EPOCHS, description="How often the training goes through the data"
    )
    column: str = Field(description="Name of the CSV column")


class Subtraction(nn.Module):
    """Values (B, 1) -> their distances (B, 1) from the learnt mean."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(1))

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        return value - self.mean


class ColumnMean(Family[ColumnMeanConfig]):
    """A batch is (numbers as float32 (B, 1),)."""

    name = "column-mean"
    task = "tabular-regression"
    metrics = (less("mse", 0),)
    config_type = ColumnMeanConfig
    inputs, outputs = ("value",), ("distance",)

    def examples(self, files: Files, config: ColumnMeanConfig) -> Examples:
        numbers: dict[str, float] = {}
        faults: dict[str, str] = {}
        for key, body in files.items():
            text = body.decode("utf-8-sig", errors="replace")  # float refuses what is replaced
            rows = csv.DictReader(io.StringIO(text))
            try:
                if config.column in (rows.fieldnames or ()):
                    numbers |= {f"{key}/{rows.line_num}": read_number(row[config.column]) for row in rows}
                else:
                    faults[key] = f"it has no column {config.column}"
            except (TypeError, ValueError, csv.Error):
                row = rows.reader.line_num  # 1 is the header
                faults[key] = f"it has no number in {config.column} in row {row}"
        if faults:
            raise BadFiles(faults)
        return split_examples((torch.tensor([*numbers.values()]).view(-1, 1),), [*numbers], config.held_out)

    def build(self, config: ColumnMeanConfig, about: Mapping[str, Any]) -> nn.ModuleDict:
        return nn.ModuleDict({"subtract": Subtraction()})

    def losses(
        self, networks: nn.ModuleDict, batch: Batch, config: ColumnMeanConfig
    ) -> Iterator[tuple[str, torch.Tensor]]:
        yield "subtract", networks["subtract"](batch[0]).square().mean()

    def score(
        self, networks: nn.ModuleDict, examples: Examples, config: ColumnMeanConfig
    ) -> Mapping[str, float]:
        numbers = examples.held_out[0][:].to(device_of(networks))
        return {"mse": networks["subtract"](numbers).square().mean().item()}

    def baseline(self, examples: Examples, config: ColumnMeanConfig) -> Baseline:
        mse = examples.held_out[0][:].square().mean().item()
        return Baseline("always a mean of 0", {"mse": mse})


def read_number(text: str) -> float:
    """The number. Raises ValueError if there is none, or if a float32 cannot hold it: nan, inf, 1e300."""
    number = float(text)
    if not math.isfinite(number) or abs(number) > torch.finfo(torch.float32).max:
        raise ValueError(text)
    return number
