"""The InferenceService as a pure function of Model and slot, and what its status says.

The document has `predictor.containers`, not `predictor.model`. Without a storageUri the latter would mean
multi-model serving. With one KServe's own initializer would fetch the version, and that checks no digest. The
canary percentage and the version change in one write.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from knoll.kube.annotations import ATTEMPT, DEPLOYMENT_MODE, PROGRESS_DEADLINE, TAG_ROUTING
from knoll.kube.kinds import INFERENCE_SERVICE_API
from knoll.kube.labels import COMPONENT_LABEL, VERSION_LABEL, label_of, part_labels
from knoll.kube.security import CONTAINER_SECURITY, POD_SECURITY
from knoll.models import Model
from knoll.ports import Document
from knoll.records.attestation import key_of
from knoll.records.manifest import version_uri
from knoll.rollout.slot import Slot
from knoll.settings import STORE_SECRET, Settings

__all__ = [
    "Observed",
    "asked",
    "desired",
    "holds",
    "inference_service",
    "newest_revision",
    "observe",
    "was_ready",
]

_CONTAINER = "kserve-container"
_MAY_PASS = ("ExitCode75", "ExitCode143")  # the store did not answer; the node went away
# KServe's finalizer; its webhook (0.19) does not let it be added later if a mode is named
_FINALIZER = "inferenceservice.finalizers"
_RESOURCES = {"cpu": "50m", "memory": "256Mi"}


def desired(model: Model, slot: Slot, settings: Settings) -> Document | None:
    """What must serve now; None if nothing may, as after the rollback of a first version.

    A rollback restores the champion's spec with 0 % for the newest revision. So a bad candidate gets no
    traffic while the champion's new revision starts. Without the percentage that revision is then promoted.
    After a bake KServe has no other revision to route to: the candidate serves until the champion's is ready.
    """

    def serving(version: str, percent: int | None, attempt: int = 0) -> Document:
        pin, key = slot.pins.get(version, ""), key_of(settings.verify_key, slot.signers.get(version, ""))
        return inference_service(model, version, percent, settings, attempt, pin, key)

    if slot.phase in ("Deploying", "Canary", "Baking"):
        is_shared = slot.champion and slot.phase != "Baking"
        return serving(slot.candidate, slot.percent if is_shared else None)
    if not slot.champion:
        return None
    return serving(slot.champion, 0 if slot.phase == "RollingBack" else None, slot.attempt)


def inference_service(
    model: Model,
    version: str,
    canary_percent: int | None,
    settings: Settings,
    attempt: int = 0,
    pin: str = "",
    key: str = "",
) -> Document:
    """The document that serves a version, with `canary_percent` of the traffic. Another `attempt` makes
    another Revision. Its predictor serves only the manifest with the sha256 `pin`, signed by `key`."""
    predictor: dict[str, Any] = {
        "labels": {VERSION_LABEL: version},
        "annotations": {PROGRESS_DEADLINE: f"{math.ceil(model.rollout.progress_deadline)}s"},
        "minReplicas": model.serving.min_replicas,
        "maxReplicas": model.serving.max_replicas,
        "containerConcurrency": model.serving.concurrency,
        "serviceAccountName": "knoll-predictor",
        "automountServiceAccountToken": False,
        "containers": [_container(model, version, pin, key, settings)],
        "volumes": [{"name": "scratch", "emptyDir": {}}],
    }
    if settings.predictor_node_selector:
        predictor["nodeSelector"] = dict(settings.predictor_node_selector)
    if attempt:
        predictor["annotations"][ATTEMPT] = str(attempt)
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


def _container(model: Model, version: str, pin: str, key: str, settings: Settings) -> Mapping[str, Any]:
    resources = {name: str(amount) for name, amount in {**_RESOURCES, **model.serving.resources}.items()}
    given = (("K_SINK", settings.sink), ("KNOLL_VERIFY_KEY", key))
    variables = [{"name": name, "value": value} for name, value in given if value]
    return {
        "name": _CONTAINER,
        "image": settings.predictor_image,
        "args": [
            "--model",
            model.name,
            *(["--manifest-sha256", pin] if pin else []),
            "--version-uri",
            version_uri(settings.model_root, model.name, version),
        ],
        **({"env": variables} if variables else {}),
        "envFrom": [{"secretRef": {"name": STORE_SECRET}}],
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"path": f"/v2/models/{model.name}/ready", "port": 8080}},
        "resources": {
            "requests": resources,
            "limits": {name: amount for name, amount in resources.items() if name != "cpu"},
        },
        "securityContext": {**POD_SECURITY, **CONTAINER_SECURITY},
        "volumeMounts": [{"name": "scratch", "mountPath": "/tmp"}],
    }


def asked(service: Document | None) -> tuple[str | None, int | None, str | None]:
    """What a phase of the rollout waits for: version, percent on trial and attempt. Policies of a cluster may
    change anything else."""
    predictor = (service or {}).get("spec", {}).get("predictor", {})
    version = (predictor.get("labels") or {}).get(VERSION_LABEL)
    attempt = (predictor.get("annotations") or {}).get(ATTEMPT)
    return version, predictor.get("canaryTrafficPercent"), attempt


def holds(live: Any, wanted: Any) -> bool:
    """Whether a live document has all that is wanted; what the server's defaults added does not count, except
    a canary field."""
    if live == wanted:
        return True
    if isinstance(wanted, dict):
        if not isinstance(live, dict) or ("canaryTrafficPercent" in live) > (
            "canaryTrafficPercent" in wanted
        ):
            return False
        return all(key in live and holds(live[key], value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(live, list) and len(live) == len(wanted) and all(map(holds, live, wanted))
    return False


@dataclass(frozen=True)
class Observed:
    """What is seen of the wanted version: whether its revision is the newest one and ready, its percentage of
    the traffic, and its URL past the traffic split. `failure` says why it can never serve, and `trouble` why
    it does not serve yet."""

    is_ready: bool = False
    percent: int = 0
    tagged_url: str = ""
    failure: str = ""
    trouble: str = ""


def newest_revision(service: Document | None) -> str:
    """Name of the newest Revision of an InferenceService; "" before the first one."""
    return str(_predictor(service).get("latestCreatedRevision") or "")


def was_ready(service: Document) -> bool:
    """Whether any Revision of the InferenceService has been ready."""
    return bool(_predictor(service).get("latestReadyRevision"))


def observe(
    service: Document | None, revision: Document | None, version: str, pods: Sequence[Document] = ()
) -> Observed:
    """Read the InferenceService, its newest Revision, and that Revision's Pods.

    Right after a write the first two may still be about the version before. So only a Revision with the label
    `version` counts. `Ready` of the InferenceService is not used: it is Unknown during an update that serves
    well. The Pods show at once that a Revision crashes; Knative says so only after the progress deadline.
    """
    if service is None or revision is None or _version(revision) != version:
        return Observed()
    predictor, created = _predictor(service), newest_revision(service)
    newest = [one for one in predictor.get("traffic") or [] if one.get("revisionName") == created]
    is_ready = predictor.get("latestReadyRevision") == created
    failure, trouble = ("", "") if is_ready else _fault(_not_ready(revision) or _crash(pods))
    return Observed(
        is_ready=is_ready,
        percent=sum(one.get("percent") or 0 for one in newest),
        tagged_url=_url(predictor, next((one for one in newest if one.get("tag")), {})),
        failure=failure,
        trouble=trouble,
    )


def _predictor(service: Document | None) -> Mapping[str, Any]:
    status = (service or {}).get("status") or {}
    predictor: Mapping[str, Any] = (status.get("components") or {}).get("predictor") or {}
    return predictor


def _version(revision: Document) -> str:
    return label_of(revision, VERSION_LABEL)


def _url(predictor: Mapping[str, Any], tagged: Mapping[str, Any]) -> str:
    """The tagged route. On a cluster the gateway's URL need not resolve, but the address with the tag before
    it does."""
    address = (predictor.get("address") or {}).get("url") or ""
    if tagged and address:
        scheme, _, host = address.partition("://")
        return f"{scheme}://{tagged['tag']}-{host}"
    return tagged.get("url") or address or predictor.get("url") or ""


def _fault(found: tuple[str, str] | None) -> tuple[str, str]:
    """Why the Revision can never serve, and why it does not serve yet. A process that ended for a reason that
    may pass is started again."""
    if found is None:
        return "", ""
    reason, text = found[0], ": ".join(filter(None, found)).strip()
    has_crashed = reason.startswith("ExitCode") and reason not in _MAY_PASS
    is_final = has_crashed or reason == "ProgressDeadlineExceeded"
    return (text, text) if is_final else ("", text)


def _not_ready(revision: Document) -> tuple[str, str] | None:
    """Reason and message of a Revision that has failed."""
    conditions = (revision.get("status") or {}).get("conditions") or []
    failed = (one for one in conditions if one.get("type") == "Ready" and one.get("status") == "False")
    return next(((one.get("reason", ""), one.get("message", "")) for one in failed), None)


def _crash(pods: Sequence[Document]) -> tuple[str, str] | None:
    """Exit code and message of the server's last end in any of the Pods."""
    for container in (
        one for pod in pods for one in (pod.get("status") or {}).get("containerStatuses") or []
    ):
        ends = [(container.get(state) or {}).get("terminated") for state in ("state", "lastState")]
        for end in ends if container.get("name") == _CONTAINER else ():
            if end and end.get("exitCode"):
                return f"ExitCode{end['exitCode']}", end.get("message", "")
    return None
