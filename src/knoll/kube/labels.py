"""The labels by which the Kubernetes objects that are part of a Model are found again."""

from collections.abc import Mapping
from typing import Any

__all__ = ["MANAGED", "MODEL_LABEL", "is_part", "part_labels"]

MANAGED = {"app.kubernetes.io/managed-by": "knoll"}
MODEL_LABEL = "knoll.dev/model"


def part_labels(model: str) -> dict[str, str]:
    """The labels that every part of the model carries."""
    return {**MANAGED, MODEL_LABEL: model}


def is_part(document: Mapping[str, Any], model: str) -> bool:
    """Whether the object is the model's: somebody else's of the same name is theirs."""
    return part_labels(model).items() <= (document["metadata"].get("labels") or {}).items()
