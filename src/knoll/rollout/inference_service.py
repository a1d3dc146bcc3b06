"""The InferenceService as a pure function of Model and slot, and its status as KServe writes it, read back.

`predictor.containers` and not `predictor.model`: without a storageUri the latter would mean multi-model serving, and with one KServe's
own initializer, which checks no digest, would fetch the version. The canary percentage and the version change in one write.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from knoll.models import Model
from knoll.names import version_uri
from knoll.ports import Document
from knoll.rollout.slot import Slot
from knoll.settings import Settings

__all__ = ["Observed", "desired", "holds", "inference_service", "observe"]

_RESOURCES = {"cpu": "50m", "memory": "256Mi"}


def desired(model: Model, slot: Slot, settings: Settings) -> Document | None:
    """What must serve now: None when nothing may, as after the rollback of a first version.

    Rolling back restores the champion's spec with 0 % for the newest revision. So a bad candidate gets nothing while the champion's new
    revision starts, and removing the field then promotes a champion. After a bake KServe knows no other revision to route to: there the
    candidate serves until the champion's is ready.
    """
    if slot.phase in ("Deploying", "Canary"):
        return inference_service(model, slot.candidate, slot.percent if slot.champion else None, settings)
    if slot.phase == "Baking":
        return inference_service(model, slot.candidate, None, settings)
    if not slot.champion:
        return None
    return inference_service(model, slot.champion, 0 if slot.phase == "RollingBack" else None, settings)


def inference_service(model: Model, version: str, canary_percent: int | None, settings: Settings) -> Document:
    """The document that serves a version, with `canary_percent` of the traffic while it is on trial."""
    predictor: dict[str, Any] = {
        "minReplicas": model.serving.min_replicas,
        "maxReplicas": model.serving.max_replicas,
        "containerConcurrency": model.serving.concurrency,
        "serviceAccountName": "knoll-predictor",
        "automountServiceAccountToken": False,
        "containers": [_container(model, version, settings)],
        "volumes": [{"name": "scratch", "emptyDir": {}}],
    }
    if canary_percent is not None:
        predictor["canaryTrafficPercent"] = canary_percent
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": model.name,
            "labels": {"app.kubernetes.io/managed-by": "knoll", "app.kubernetes.io/component": "predictor", "knoll.dev/model": model.name},
            "annotations": {"serving.kserve.io/deploymentMode": "Knative", "serving.kserve.io/enable-tag-routing": "true"},
        },
        "spec": {"predictor": predictor},
    }


def _container(model: Model, version: str, settings: Settings) -> Mapping[str, Any]:
    resources = {name: str(amount) for name, amount in {**_RESOURCES, **model.serving.resources}.items()}
    return {
        "name": "kserve-container",
        "image": settings.predictor_image,
        "args": ["--model", model.name, "--version-uri", version_uri(settings.model_root, model.name, version)],
        "envFrom": [{"secretRef": {"name": "knoll-s3"}}],
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"path": f"/v2/models/{model.name}/ready", "port": 8080}},
        "resources": {"requests": resources, "limits": {"memory": resources["memory"]}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [{"name": "scratch", "mountPath": "/tmp"}],
    }


def holds(live: Any, wanted: Any) -> bool:
    """Whether a live document has everything that is wanted; what the server's defaults added does not count, except a canary field."""
    if isinstance(wanted, Mapping):
        if not isinstance(live, Mapping) or ("canaryTrafficPercent" in live) > ("canaryTrafficPercent" in wanted):
            return False
        return all(key in live and holds(live[key], value) for key, value in wanted.items())
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        return isinstance(live, Sequence) and len(live) == len(wanted) and all(map(holds, live, wanted))
    return bool(live == wanted)


@dataclass(frozen=True)
class Observed:
    """The status of an InferenceService: is its newest revision ready, what part of the traffic does it get, at which URL can it be reached
    by its tag, and why has it failed ("" when it has not)."""

    is_current: bool = False
    is_ready: bool = False
    percent: int = 0
    tagged_url: str = ""
    failure: str = ""


def observe(document: Document | None) -> Observed:
    """Read the status. `Ready` of the InferenceService is not used: it is Unknown in the middle of an update that serves well."""
    if document is None:
        return Observed()
    status = document.get("status") or {}
    predictor = (status.get("components") or {}).get("predictor") or {}
    created, ready = predictor.get("latestCreatedRevision"), predictor.get("latestReadyRevision")
    is_current = status.get("observedGeneration") == document["metadata"].get("generation")
    newest = [one for one in predictor.get("traffic") or [] if one.get("revisionName") == created]
    is_ready = bool(is_current and created and created == ready)
    return Observed(
        is_current=is_current,
        is_ready=is_ready,
        percent=sum(one.get("percent") or 0 for one in newest),
        tagged_url=next((one["url"] for one in newest if one.get("url")), predictor.get("url") or status.get("url") or ""),
        failure="" if is_ready or not is_current else _failure(status),
    )


def _failure(status: Mapping[str, Any]) -> str:
    model_status = status.get("modelStatus") or {}
    if model_status.get("transitionStatus") in ("BlockedByFailedLoad", "InvalidSpec"):
        failed = model_status.get("lastFailureInfo") or {}
        return f"{failed.get('reason', 'the model did not load')}: {failed.get('message', '')}".rstrip(": ")
    for one in status.get("conditions") or []:
        if one.get("type") == "PredictorReady" and one.get("status") == "False":
            return f"{one.get('reason', 'not ready')}: {one.get('message', '')}".rstrip(": ")
    return ""
