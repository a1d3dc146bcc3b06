"""The InferenceService as a pure function of Model and slot.

The document has `predictor.containers`, not `predictor.model`. Without a storageUri the latter would mean
multi-model serving. With one KServe's own initializer would fetch the version, and that checks no digest. The
canary percentage and the version change in one write.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from knoll.installation import STORE_SECRET
from knoll.kube.annotations import ATTEMPT, DEPLOYMENT_MODE, PROGRESS_DEADLINE, TAG_ROUTING
from knoll.kube.kinds import INFERENCE_SERVICE_API, PREDICTOR_CONTAINER
from knoll.kube.labels import COMPONENT_LABEL, VERSION_LABEL, part_labels
from knoll.kube.security import CONTAINER_SECURITY, POD_SECURITY
from knoll.models import Model
from knoll.paths import MODEL_READY, path_of
from knoll.ports import Document
from knoll.quantities import PREDICTOR_RESOURCES
from knoll.records.attestation import key_of
from knoll.records.version_folder import place_for_predictor
from knoll.rollout.revision_keys import ANSWER_ENTRY, REVISION_ENTRY
from knoll.rollout.slot import Slot
from knoll.settings import Settings, variable

__all__ = [
    "OWN_FIELDS",
    "asked",
    "desired",
    "differences",
    "holds",
    "inference_service",
    "served_version",
]

# of a predictor, those that knoll writes or takes away
OWN_FIELDS = frozenset(
    {
        "annotations",
        "automountServiceAccountToken",
        "canaryTrafficPercent",
        "containerConcurrency",
        "containers",
        "labels",
        "maxReplicas",
        "minReplicas",
        "nodeSelector",
        "serviceAccountName",
        "volumes",
    }
)
_AT_TIMES = ("canaryTrafficPercent", "nodeSelector")  # not wanted means that they must not be there
_PORT_NAMES = {False: "http1", True: "h2c"}  # by which Knative knows what the port speaks
# KServe's finalizer; its webhook (0.19) does not let it be added later if a mode is named
_FINALIZER = "inferenceservice.finalizers"


def served_version(slot: Slot) -> str:
    """The version that the newest Revision must serve; "" if nothing may, as after the rollback of a first
    version."""
    is_tried = slot.phase in ("Deploying", "Canary", "Baking") or slot.is_stepping_back
    return slot.candidate if is_tried else slot.champion


def desired(model: Model, slot: Slot, settings: Settings, secret: str = "") -> Document | None:
    """What must serve now; None if nothing may. `secret` has the key of the served version.

    A rollback restores the champion's spec with 0 % for the newest revision. So a bad candidate gets no
    traffic while the champion's new revision starts. Without the percentage that revision is then promoted.
    In the bake the candidate steps back first, with its own spec and 0 %: then KServe gives all traffic to
    the champion's old revision, which was rolled out before it.
    """

    def serving(version: str, percent: int | None) -> Document:
        pin, key = slot.pins.get(version, ""), key_of(settings.verify_key, slot.signers.get(version, ""))
        return inference_service(model, version, percent, settings, slot.attempt, pin, key, secret)

    version = served_version(slot)
    if not version:
        return None
    if slot.phase in ("Deploying", "Canary", "Baking"):
        is_shared = slot.champion and slot.phase != "Baking"
        return serving(version, slot.percent if is_shared else None)
    return serving(version, 0 if slot.phase == "RollingBack" else None)


def inference_service(
    model: Model,
    version: str,
    canary_percent: int | None,
    settings: Settings,
    attempt: int = 0,
    pin: str = "",
    key: str = "",
    secret: str = "",
) -> Document:
    """The document that serves a version, with `canary_percent` of the traffic. Another `attempt` makes
    another Revision. Its predictor serves only the manifest with the sha256 `pin`, signed by `key`, and has a
    key of its own from the Secret `secret`."""
    predictor: dict[str, Any] = {
        "labels": {VERSION_LABEL: version},
        "annotations": _annotations(model, attempt),
        "minReplicas": model.serving.min_replicas,
        "maxReplicas": model.serving.max_replicas,
        "containerConcurrency": model.serving.concurrency,
        "serviceAccountName": "knoll-predictor",
        "automountServiceAccountToken": False,
        "containers": [_container(model, version, pin, _variables(model, settings, key, secret), settings)],
        "volumes": [{"name": "scratch", "emptyDir": {}}],
    }
    if settings.predictor_node_selector:
        predictor["nodeSelector"] = dict(settings.predictor_node_selector)
    if canary_percent is not None:
        predictor["canaryTrafficPercent"] = canary_percent
    return {
        "apiVersion": INFERENCE_SERVICE_API,
        "kind": "InferenceService",
        "metadata": {
            "name": model.name,
            "labels": {**part_labels(model.name), COMPONENT_LABEL: "predictor"},
            "annotations": {DEPLOYMENT_MODE: "Knative", TAG_ROUTING: "true"},
            "finalizers": [_FINALIZER],
        },
        "spec": {"predictor": predictor},
    }


def _annotations(model: Model, attempt: int) -> dict[str, str]:
    deadline = {PROGRESS_DEADLINE: f"{math.ceil(model.rollout.progress_deadline)}s"}
    return deadline | ({ATTEMPT: str(attempt)} if attempt else {})


def _variables(model: Model, settings: Settings, key: str, secret: str) -> Sequence[Mapping[str, Any]]:
    """Where the sink is, what is recorded and logged, and the keys. A predictor serves without its own one:
    then its reports do not count."""
    kept = model.rollout.recorded
    share, redact = (str(kept.share), json.dumps(kept.redact) if kept.redact else "") if kept else ("", "")
    given = {"sink": settings.sink, "verify_key": key, "recorded_share": share, "recorded_redact": redact}
    if logger := model.serving.logger:
        given |= {"log_share": str(logger.share), "log_mode": logger.mode, "namespace": settings.namespace}
    variables: list[Mapping[str, Any]] = [
        {"name": variable(name), "value": value} for name, value in given.items() if value
    ]
    own = (("revision_key", REVISION_ENTRY), ("answer_key", ANSWER_ENTRY)) if secret else ()
    for setting, entry in own:
        source = {"secretKeyRef": {"name": secret, "key": entry, "optional": True}}
        variables.append({"name": variable(setting), "valueFrom": source})
    return variables


def _container(
    model: Model, version: str, pin: str, variables: Sequence[Mapping[str, Any]], settings: Settings
) -> Mapping[str, Any]:
    resources = {
        name: str(amount) for name, amount in {**PREDICTOR_RESOURCES, **model.serving.resources}.items()
    }
    return {
        "name": PREDICTOR_CONTAINER,
        "image": settings.predictor_image,
        "args": [
            "--model",
            model.name,
            *(["--manifest-sha256", pin] if pin else []),
            "--version-uri",
            place_for_predictor(model.name, version, settings),
        ],
        **({"env": [*variables]} if variables else {}),
        "envFrom": [{"secretRef": {"name": STORE_SECRET}}],
        "ports": [{"name": _PORT_NAMES[model.serving.grpc], "containerPort": 8080, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"path": path_of(MODEL_READY, model.name), "port": 8080}},
        "resources": {
            "requests": resources,
            "limits": {name: amount for name, amount in resources.items() if name != "cpu"},
        },
        "securityContext": {**POD_SECURITY, **CONTAINER_SECURITY},
        "volumeMounts": [{"name": "scratch", "mountPath": "/tmp"}],
    }


def asked(isvc: Document | None) -> tuple[str | None, int | None, str | None]:
    """What a phase of the rollout waits for: version, percent on trial and attempt. Policies of a cluster may
    change anything else."""
    predictor = (isvc or {}).get("spec", {}).get("predictor", {})
    version = (predictor.get("labels") or {}).get(VERSION_LABEL)
    attempt = (predictor.get("annotations") or {}).get(ATTEMPT)
    return version, predictor.get("canaryTrafficPercent"), attempt


def holds(live: Any, wanted: Any) -> bool:
    """Whether a live document has all that is wanted; what the API server's defaults added does not count,
    except a field that knoll itself writes at times only."""
    return next(differences(live, wanted), None) is None


def differences(live: Any, wanted: Any, place: str = "") -> Iterator[str]:
    """Where a live document has not what is wanted, as in `predictor.containers[0].image`."""
    if live == wanted:
        return
    if isinstance(wanted, dict) and isinstance(live, dict):
        inside = f"{place}." if place else ""
        yield from (inside + key for key in _AT_TIMES if key in live and key not in wanted)
        for key, value in wanted.items():
            yield from differences(live[key], value, inside + key) if key in live else (inside + key,)
    elif isinstance(wanted, list) and isinstance(live, list) and len(live) == len(wanted):
        for number, pair in enumerate(zip(live, wanted, strict=True)):
            yield from differences(*pair, f"{place}[{number}]")
    else:
        yield place
