"""What a family of models is: the class behind `spec.family`.

A family has a declaration, which needs no torch (`knoll.families.declaration`), and three parts: data,
learning and export, with a module for each. A small family is one class that derives from `Family`. A
large one is a folder with a class for each part. Each family has one line in `knoll.families`. The loop in
`knoll.trainer.loop` does the rest: devices, precision, progress, milestones.
"""

from typing import Generic

from knoll.families.base.columns import Column, Columns, Streamed, are_here, parts
from knoll.families.base.data import BadRows, Batch, DataPart, Examples, split_examples, split_keys
from knoll.families.base.export import Export, ExportPart, draw_rows, export_network
from knoll.families.base.files import READING, Files
from knoll.families.base.learning import Baseline, LearningPart, Scores, ServedGraph, Slices, device_of
from knoll.families.base.readahead import ahead
from knoll.families.base.signs import Sign
from knoll.families.declaration import (
    ConfigT,
    Declaration,
    FamilyConfig,
    Form,
    Metric,
    form,
    less,
    more,
    unit,
)

__all__ = [
    "READING",
    "BadRows",
    "Baseline",
    "Batch",
    "Column",
    "Columns",
    "DataPart",
    "Examples",
    "Export",
    "ExportPart",
    "Family",
    "FamilyConfig",
    "Files",
    "Form",
    "LearningPart",
    "Metric",
    "Scores",
    "ServedGraph",
    "Sign",
    "Slices",
    "Streamed",
    "ahead",
    "are_here",
    "device_of",
    "draw_rows",
    "export_network",
    "form",
    "less",
    "more",
    "parts",
    "split_examples",
    "split_keys",
    "unit",
]


class Family(
    Declaration[ConfigT], DataPart[ConfigT], LearningPart[ConfigT], ExportPart[ConfigT], Generic[ConfigT]
):
    """One kind of model: `class Rain(Family[RainConfig])`. `config_type` is the class of its config."""
