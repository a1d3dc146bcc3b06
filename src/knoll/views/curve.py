"""The losses of a run over its training, as the trainer has noted them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from knoll.errors import NotFound
from knoll.ports import Platform
from knoll.records.progress import Point, find_progress

__all__ = ["Curve", "curve_document", "read_curve"]


@dataclass(frozen=True)
class Curve:
    """Some of the losses of a run, in the order of time."""

    run: str
    points: Sequence[Point]

    @property
    def by_loss(self) -> Mapping[str, Sequence[tuple[int, float]]]:
        """Percent and value of each loss by its name."""
        names = dict.fromkeys(name for point in self.points for name in point.losses)
        return {
            name: [(one.percent, one.losses[name]) for one in self.points if _is_known(one, name)]
            for name in names
        }


def read_curve(platform: Platform, run: str) -> Curve:
    """The curve of a run. Raises NotFound if there is none (yet)."""
    progress = find_progress(run, platform.bucket)
    if progress is None or not progress.curve:
        fix = f"knoll runs logs {run} has a loss for each epoch; a curve begins after a second of training"
        raise NotFound(f"run {run}: it has no curve", fix=fix)
    return Curve(run, progress.curve)


def curve_document(curve: Curve) -> dict[str, Any]:
    """The curve as `-o json` shows it."""
    points = [{"progressPercentage": one.percent, "losses": dict(one.losses)} for one in curve.points]
    return {"run": curve.run, "points": points}


def _is_known(point: Point, name: str) -> bool:
    return math.isfinite(point.losses.get(name, math.nan))
