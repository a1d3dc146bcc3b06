"""Labels and annotations of Kubernetes objects: those that knoll sets, and those of KServe and Knative."""

from collections.abc import Mapping
from typing import Any

__all__ = [
    "INFERENCE_SERVICE",
    "KNATIVE_GENERATION",
    "KNATIVE_SERVICE",
    "MANAGED",
    "MAX_SCALE",
    "MIN_SCALE",
    "MODEL_LABEL",
    "TAG_ROUTING",
    "is_part",
    "part_labels",
]

MANAGED = {"app.kubernetes.io/managed-by": "knoll"}
MODEL_LABEL = "knoll.dev/model"
INFERENCE_SERVICE = "serving.kserve.io/inferenceservice"
KNATIVE_SERVICE = "serving.knative.dev/service"
KNATIVE_GENERATION = "serving.knative.dev/configurationGeneration"  # the number of a Revision
MIN_SCALE = "autoscaling.knative.dev/min-scale"
MAX_SCALE = "autoscaling.knative.dev/max-scale"
TAG_ROUTING = "serving.kserve.io/enable-tag-routing"


def part_labels(model: str) -> dict[str, str]:
    """The labels that every part of the model carries."""
    return {**MANAGED, MODEL_LABEL: model}


def is_part(document: Mapping[str, Any], model: str) -> bool:
    """Whether the object is the model's: somebody else's of the same name is theirs."""
    return part_labels(model).items() <= (document["metadata"].get("labels") or {}).items()
