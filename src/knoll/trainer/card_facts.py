"""What a model card tells."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from knoll.families.base import Baseline, Metric, Slices
from knoll.models import CardSpec
from knoll.records.champion_score import ChampionScore
from knoll.records.compression import Compression
from knoll.records.curves import Curves
from knoll.records.golden import GoldenScore
from knoll.records.run import Run
from knoll.records.samples import Sample
from knoll.records.signature import Signature
from knoll.trainer.acceleration import PLAIN, Acceleration

__all__ = ["CardFacts", "ColumnFacts", "DataFacts"]


@dataclass(frozen=True)
class ColumnFacts:
    """One column of the training examples: its type, the shape of one example, and the range of the first
    `rows`. The mean is None if the numbers are names, as those of classes are."""

    type: str
    shape: tuple[int, ...]
    least: float
    most: float
    mean: float | None = None
    rows: int = 0


@dataclass(frozen=True)
class DataFacts:
    """The numbers of training and held-out examples, in all and of each class, if there are classes; the
    columns of an example; what the network knows of the data; and lines on what was left out."""

    train: int
    held_out: int
    classes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    columns: tuple[ColumnFacts, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class CardFacts:
    """What a card tells. `use` is what the family is for, and `limits` are sentences on what it cannot;
    `declared` is what the Model says of it. `baseline` has the metrics of a naive answer, `golden` the score
    on the golden set, `champion` that of the version that served then, `checks` the numbers of the gate, if
    there are any. `pictures` are names of files in the version's folder, and `curves` those of the training.
    `notes` are sentences on what the owner of the data may not expect. `compression` has the graphs that were
    tried. `how` says how the training has computed."""

    run: Run
    task: str
    use: str
    limits: tuple[str, ...]
    kinds: tuple[Metric, ...]
    metrics: Mapping[str, float]
    config: Mapping[str, Any]
    data: DataFacts
    signature: Signature
    sample: Sample
    curves: Curves
    pictures: tuple[str, ...] = ()
    declared: CardSpec = field(default_factory=CardSpec)
    notes: tuple[str, ...] = ()
    baseline: Baseline | None = None
    golden: GoldenScore | None = None
    champion: ChampionScore | None = None
    slices: Slices = field(default_factory=dict)
    checks: Mapping[str, Any] = field(default_factory=dict)
    compression: Compression | None = None
    how: Acceleration = PLAIN
