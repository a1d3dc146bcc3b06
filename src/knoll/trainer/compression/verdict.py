"""Which graph is served: a pure decision on what was measured."""

import math
from collections.abc import Iterable

from knoll.families.declaration import Metric
from knoll.records.compression import EXPORTED, TriedGraph
from knoll.trainer.race import FASTER

__all__ = ["choose", "quality_lost", "why_not"]


def quality_lost(metric: Metric, before: float, after: float) -> float:
    """How much worse `after` is: a share of the metric's range, or of `before` if it has no range. Less than
    0 is better; NaN if a number is none."""
    worse = before - after if metric.better == "more" else after - before
    whole = metric.width if metric.width < math.inf else abs(before)
    if whole == 0:
        return math.inf if worse > 0 else 0.0
    return worse / whole


def why_not(lost: float, most: float, bound: float) -> str:
    """Why a graph may not be served that loses so much, and whose time divided by that of the exported one
    has this upper bound; "" if it may."""
    if not lost <= most:
        return f"it loses {lost:.2%} of quality, and may lose {most:.2%}"
    if not bound < FASTER:
        return (
            f"it is not clearly faster: the ratio of times is below {bound:.2f}, and must be below {FASTER}"
        )
    return ""


def choose(tried: Iterable[TriedGraph]) -> str:
    """The name of the graph that is served: the fastest of those that may be, else the exported one."""
    able = [one for one in tried if not one.why]
    return min(able, key=lambda one: one.ratio or math.inf).name if able else EXPORTED
