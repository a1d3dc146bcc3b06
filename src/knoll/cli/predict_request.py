"""Files as V1 predict requests, and answers as words.

A picture travels as base64. JSON travels as it is; an instance or a list of them is put into `instances`.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from knoll.cli.tables import plain_table
from knoll.errors import InvalidData
from knoll.foreign_kinds import is_picture

__all__ = ["of_bytes", "of_seed", "picture_of", "top_labels"]

_BAR = 30  # characters


def of_bytes(name: str, body: bytes) -> dict[str, Any]:
    """The request for a PNG, a JPEG or JSON. Raises InvalidData for anything else."""
    if is_picture(body):
        return {"instances": [{"b64": base64.b64encode(body).decode()}]}
    try:
        given = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidData(
            f"{name}: it is neither a PNG, nor a JPEG, nor JSON{_place(error)}",
            fix="give a picture, or JSON instances",
        ) from error
    if isinstance(given, dict) and "instances" in given:
        return given
    return {"instances": given if isinstance(given, list) else [given]}


def _place(error: Exception) -> str:
    """Where the text stops being JSON, if it begins as JSON."""
    if isinstance(error, RecursionError):
        return ": its lists or objects are nested too deep"
    if not isinstance(error, json.JSONDecodeError) or not error.pos:
        return ""
    return f": line {error.lineno}, column {error.colno} is not JSON"


def of_seed(seed: int) -> dict[str, Any]:
    """The request for a generated picture; the same seed gives the same picture."""
    return {"instances": [{"seed": seed}]}


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
    return Group(
        Text(str(prediction.get("label", likely[0][0])), style="bold"),
        plain_table(("LABEL", "SHARE", ""), rows),
    )
