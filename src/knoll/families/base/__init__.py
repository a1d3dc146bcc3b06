"""What a family of models is: the class behind `spec.family`.

A family has three parts: data, learning and export, with a module here for each. A small family is one class
that derives from `Family`. A large one is a folder with a class for each part. Each family has one line in
`knoll.families`. The loop in `knoll.trainer.loop` does the rest: devices, precision, progress, milestones.
"""

from typing import Generic

from knoll.families.base.config import ConfigT, FamilyConfig, read_config
from knoll.families.base.data import Batch, DataPart, Examples, Files, split_examples, split_keys
from knoll.families.base.export import Export, ExportPart, draw_rows, export_network
from knoll.families.base.learning import LearningPart, device_of
from knoll.families.base.metrics import Metric, less, more

__all__ = [
    "Batch",
    "DataPart",
    "Examples",
    "Export",
    "ExportPart",
    "Family",
    "FamilyConfig",
    "Files",
    "LearningPart",
    "Metric",
    "device_of",
    "draw_rows",
    "export_network",
    "less",
    "more",
    "read_config",
    "split_examples",
    "split_keys",
]


class Family(DataPart[ConfigT], LearningPart[ConfigT], ExportPart[ConfigT], Generic[ConfigT]):
    """One kind of model: `class Rain(Family[RainConfig])`. `config_type` is the class of its config."""

    name: str  # what `spec.family` says; `FAMILIES` and the docs page have the same name
    task: str  # as the Hugging Face hub names it, for the model card: image-classification, ...
    metrics: tuple[Metric, ...]  # what `score` returns, and a gate can ask for: `(less("mse", 0),)`
