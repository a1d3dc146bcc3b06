"""The labels that knoll writes and reads."""

from collections.abc import Mapping
from typing import Any

__all__ = [
    "COMPONENT_LABEL",
    "GENERATION_LABEL",
    "INFERENCE_SERVICE_LABEL",
    "JOB_LABEL",
    "KNATIVE_SERVICE_LABEL",
    "MANAGED",
    "MODEL_LABEL",
    "PRIORITY_LABEL",
    "QUEUE_LABEL",
    "REVISION_LABEL",
    "ROUTING_STATE_LABEL",
    "VERSION_LABEL",
    "is_part",
    "label_of",
    "part_labels",
]

# of Kubernetes
MANAGED = {"app.kubernetes.io/managed-by": "knoll"}
COMPONENT_LABEL = "app.kubernetes.io/component"
JOB_LABEL = "batch.kubernetes.io/job-name"

# of knoll
MODEL_LABEL = "knoll.dev/model"
VERSION_LABEL = "knoll.dev/version"

# of KServe and Knative
INFERENCE_SERVICE_LABEL = "serving.kserve.io/inferenceservice"
KNATIVE_SERVICE_LABEL = "serving.knative.dev/service"
REVISION_LABEL = "serving.knative.dev/revision"
GENERATION_LABEL = "serving.knative.dev/configurationGeneration"
ROUTING_STATE_LABEL = "serving.knative.dev/routingState"

# of Kueue
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
PRIORITY_LABEL = "kueue.x-k8s.io/priority-class"


def part_labels(model: str) -> dict[str, str]:
    """The labels of every part of the model."""
    return {**MANAGED, MODEL_LABEL: model}


def is_part(document: Mapping[str, Any], model: str) -> bool:
    """Whether the object is part of the model, and not an object of somebody else with the same name."""
    return part_labels(model).items() <= (document["metadata"].get("labels") or {}).items()


def label_of(document: Mapping[str, Any], label: str) -> str:
    """The value of a label; "" if the object does not have it."""
    return str(((document.get("metadata") or {}).get("labels") or {}).get(label, ""))
