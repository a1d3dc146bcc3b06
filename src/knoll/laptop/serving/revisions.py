"""Revisions: the documents that each hold one version of an InferenceService's template.

As in Knative, every change of the template makes a new Revision. Scale bounds and labels belong to the
template; `canaryTrafficPercent` does not. A Revision that has been ready once stays ready.
"""

from dataclasses import dataclass
from typing import Any

from knoll.kube.annotations import LAST_APPLIED, MAX_SCALE, MIN_SCALE, ROLLOUT_DURATION, TAG_ROUTING
from knoll.kube.kinds import PREDICTOR_CONTAINER, REVISION_API
from knoll.kube.labels import (
    GENERATION_LABEL,
    INFERENCE_SERVICE_LABEL,
    KNATIVE_SERVICE_LABEL,
    REVISION_LABEL,
)
from knoll.kube.predictors import predictor_name
from knoll.ports import Document

__all__ = [
    "Readiness",
    "has_same_template",
    "has_tag_routing",
    "isvc_name",
    "min_scale",
    "new_revision",
    "owner_uid",
    "refusing_pod",
    "revision_name",
    "revision_number",
    "verdict",
    "with_verdict",
]

_NOT_IN_TEMPLATE = {ROLLOUT_DURATION, LAST_APPLIED}
_NOT_IN_POD = {"minReplicas", "maxReplicas", "canaryTrafficPercent", "labels", "annotations", "timeout"}


@dataclass(frozen=True)
class Readiness:
    """Whether a Revision has become ready: "True", "False" or "Unknown", and why. `exit_code` is the last one
    of its replica."""

    status: str = "Unknown"
    reason: str = "Deploying"
    message: str = ""
    exit_code: int | None = None


def verdict(revision: Document) -> Readiness:
    """What the Revision's status says about its readiness."""
    for one in (revision.get("status") or {}).get("conditions") or []:
        if one["type"] == "Ready":
            return Readiness(
                one["status"], one.get("reason", ""), one.get("message", ""), one.get("exitCode")
            )
    return Readiness()


def with_verdict(revision: Document, found: Readiness) -> Document:
    """The Revision with another readiness."""
    condition: Document = {
        "type": "Ready",
        "status": found.status,
        "reason": found.reason,
        "message": found.message,
    }
    if found.exit_code is not None:
        condition["exitCode"] = found.exit_code
    return {**revision, "status": {"conditions": [condition]}}


def new_revision(isvc: Document, number: int) -> Document:
    """The Revision with this number, made from the template that the InferenceService has now."""
    name = isvc["metadata"]["name"]
    labels = {
        **_merged("labels", isvc),
        INFERENCE_SERVICE_LABEL: name,
        KNATIVE_SERVICE_LABEL: predictor_name(name),
        GENERATION_LABEL: str(number),
    }
    metadata = {
        "name": f"{predictor_name(name)}-{number:05d}",
        "labels": labels,
        "annotations": {**_merged("annotations", isvc), **_scale(isvc["spec"]["predictor"])},
        "ownerReferences": [_owner_reference(isvc)],
    }
    spec = _pod_spec(isvc["spec"]["predictor"])
    return {"apiVersion": REVISION_API, "kind": "Revision", "metadata": metadata, "spec": spec}


def refusing_pod(revision: Document, code: int, message: str) -> Document:
    """The Pod of a Revision whose replica has ended with that code, as the kubelet describes it."""
    metadata = {
        "name": f"{revision_name(revision)}-replica",
        "labels": {**revision["metadata"]["labels"], REVISION_LABEL: revision_name(revision)},
    }
    end = {"exitCode": code, "reason": "Error", "message": message}
    replica = {"name": PREDICTOR_CONTAINER, "ready": False, "lastState": {"terminated": end}}
    status = {"phase": "Running", "containerStatuses": [replica]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {}, "status": status}


def has_same_template(revision: Document, other: Document) -> bool:
    """Whether both were made from the same template."""
    return _template(revision) == _template(other)


def revision_name(revision: Document) -> str:
    """Name of a Revision."""
    return str(revision["metadata"]["name"])


def revision_number(revision: Document) -> int:
    """Number of a Revision; the first has 1."""
    return int(revision["metadata"]["labels"][GENERATION_LABEL])


def owner_uid(revision: Document) -> str | None:
    """The uid of the InferenceService that a Revision was made for."""
    owner: str | None = revision["metadata"]["ownerReferences"][0]["uid"]
    return owner


def isvc_name(revision: Document) -> str:
    """Name of the InferenceService that a Revision belongs to."""
    return str(revision["metadata"]["labels"][INFERENCE_SERVICE_LABEL])


def min_scale(revision: Document) -> int:
    """How many replicas run without traffic. If `minReplicas` is not set, it is 1, as in KServe."""
    return int(revision["metadata"]["annotations"][MIN_SCALE])


def has_tag_routing(isvc: Document) -> bool:
    """Whether the newest Revision can be reached by the tag "latest"."""
    return _merged("annotations", isvc).get(TAG_ROUTING) == "true"


def _owner_reference(isvc: Document) -> Document:
    metadata = isvc["metadata"]
    reference = {key: isvc[key] for key in ("apiVersion", "kind")}
    return {**reference, "name": metadata["name"], "uid": metadata.get("uid"), "controller": True}


def _scale(predictor: Document) -> dict[str, str]:
    lowest = {MIN_SCALE: str(predictor.get("minReplicas", 1))}
    return lowest | ({MAX_SCALE: str(predictor["maxReplicas"])} if "maxReplicas" in predictor else {})


def _pod_spec(predictor: Document) -> Document:
    spec = {key: value for key, value in predictor.items() if key not in _NOT_IN_POD}
    return spec | ({"timeoutSeconds": predictor["timeout"]} if "timeout" in predictor else {})


def _merged(field: str, isvc: Document) -> dict[str, str]:
    both = {**(isvc["metadata"].get(field) or {}), **(isvc["spec"]["predictor"].get(field) or {})}
    return {key: value for key, value in both.items() if key not in _NOT_IN_TEMPLATE}


def _template(revision: Document) -> tuple[Any, ...]:
    metadata = revision["metadata"]
    labels = {key: value for key, value in metadata["labels"].items() if key != GENERATION_LABEL}
    return labels, metadata["annotations"], revision["spec"]
