"""The Kubernetes objects that are part of a Model: the labels by which they are found again, their owner, and
times as they write them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from knoll.models import API_VERSION, KIND

__all__ = ["MANAGED", "MODEL_LABEL", "is_part", "owned", "part_labels", "timestamp"]

MANAGED = {"app.kubernetes.io/managed-by": "knoll"}
MODEL_LABEL = "knoll.dev/model"


def part_labels(model: str) -> dict[str, str]:
    """The labels that every part of the model carries."""
    return {**MANAGED, MODEL_LABEL: model}


def is_part(document: Mapping[str, Any], model: str) -> bool:
    """Whether the object is the model's: somebody else's of the same name is theirs."""
    return part_labels(model).items() <= (document["metadata"].get("labels") or {}).items()


def owned(document: dict[str, Any], model: Mapping[str, Any]) -> dict[str, Any]:
    """The object as a part of the Model with this document: whoever deletes the Model deletes it, too."""
    metadata = model["metadata"]
    owner = {"apiVersion": API_VERSION, "kind": KIND, "name": metadata["name"], "uid": metadata["uid"]}
    return {**document, "metadata": {**document["metadata"], "ownerReferences": [owner]}}


def timestamp(time: datetime) -> str:
    """A time in UTC as Kubernetes writes it, in whole seconds: the texts sort as the times do."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
