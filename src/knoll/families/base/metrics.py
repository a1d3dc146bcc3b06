"""Metrics: which direction is better, and which values there are."""

import math
from dataclasses import dataclass
from typing import Literal

__all__ = ["Metric", "less", "more"]


@dataclass(frozen=True)
class Metric:
    """A number that `score` returns: whether more or less of it is better, and its range."""

    name: str
    better: Literal["more", "less"]
    least: float = -math.inf
    most: float = math.inf


def more(name: str, least: float = -math.inf, most: float = math.inf) -> Metric:
    """A metric of which more is better, such as accuracy, from 0 to 1."""
    return Metric(name, "more", least, most)


def less(name: str, least: float = -math.inf, most: float = math.inf) -> Metric:
    """A metric of which less is better, such as a loss, from 0 on."""
    return Metric(name, "less", least, most)
