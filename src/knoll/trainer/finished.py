"""One training, finished and scored."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from knoll.errors import Rejected
from knoll.families.base import Examples, Family, FamilyConfig, Scores, ServedGraph
from knoll.records.golden import GoldenScore
from knoll.records.run import Run
from knoll.trainer.champion import ScoredChampion
from knoll.trainer.golden import Exam
from knoll.trainer.loop import Trained

__all__ = ["FinishedTraining"]


def _none_serves() -> ServedGraph:
    raise Rejected("there is no champion")


@dataclass(frozen=True)
class FinishedTraining:
    """One training, finished and scored. `left_out` are lines on what it was not trained on. `exam` is the
    golden set, if there is one, and `golden` the score on it. `find_champion` raises Rejected if there is no
    champion."""

    run: Run
    family: Family[Any]
    config: FamilyConfig
    examples: Examples
    trained: Trained
    scores: Scores
    golden: GoldenScore | None = None
    champion: ScoredChampion | None = None
    left_out: tuple[str, ...] = ()
    exam: Exam | None = None
    find_champion: Callable[[], ServedGraph] = _none_serves

    @property
    def config_fields(self) -> Mapping[str, Any]:
        """The config as a Model document has it, with all defaults."""
        return self.config.model_dump(mode="json", by_alias=True)
