"""Predictions in words."""

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from knoll.cli.tables import plain_table

__all__ = ["picture_of", "top_labels"]

_BAR = 30  # characters
_WEIGHTS = 10


def top_labels(prediction: Any, count: int = 5) -> list[tuple[str, float]]:
    """The labels with the highest probabilities, highest first; empty if the prediction has no labels, or
    a probability is none."""
    probabilities = prediction.get("probabilities") if isinstance(prediction, Mapping) else None
    if not isinstance(probabilities, Mapping):
        return []
    if not all(isinstance(share, int | float) and 0 <= share <= 1 for share in probabilities.values()):
        return []
    return sorted(
        ((str(label), float(share)) for label, share in probabilities.items()), key=lambda one: -one[1]
    )[:count]


def picture_of(prediction: Any) -> RenderableType:
    """One prediction for a terminal: its label and bars for the likeliest ones, or its JSON."""
    likely = top_labels(prediction)
    if not likely:
        return Text(json.dumps(prediction)[:2000])
    rows = ((label, f"{share:7.2%}", "█" * round(share * _BAR)) for label, share in likely)
    told: list[RenderableType] = [
        Text(str(prediction.get("label", likely[0][0])), style="bold"),
        plain_table(("LABEL", "SHARE", ""), rows),
    ]
    if weights := _heaviest(prediction):
        told.append(plain_table(("PART", "WEIGHT"), ((part, f"{one:+.3f}") for part, one in weights)))
    return Group(*told)


def _heaviest(prediction: Mapping[str, Any]) -> list[tuple[str, float]]:
    """The parts that count most for the answer or against it, the heaviest first."""
    found = prediction.get("weights")
    if not isinstance(found, list):
        return []
    pairs = ((str(one["part"]), float(one["weight"])) for one in found if {"part", "weight"} <= one.keys())
    return sorted(pairs, key=lambda one: -abs(one[1]))[:_WEIGHTS]
