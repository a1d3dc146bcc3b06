"""The Kubernetes Job that executes a run: a pure function of the run record and the installation's settings.

The Job names its run by the id alone: args and env have no text of a user or a bucket. Each node of a run is
one Pod. torchrun reads its variables PET_..., which have the same names as in Kubeflow's trainer. Node 0 is
the Pod with index 0, even if another Pod starts first: if that Pod succeeds, the Job succeeds.
"""

import math
from collections.abc import Mapping
from typing import Any

from knoll.exits import KILLED, PREEMPTED, REJECTED
from knoll.installation import CONFIG_MAP, SIGN_FILE, SIGNING_SECRET, STORE_SECRET
from knoll.kube.annotations import COMPLETION_INDEX
from knoll.kube.kinds import JOB_API, TRAINER_CONTAINER
from knoll.kube.labels import COMPONENT_LABEL, PRIORITY_LABEL, QUEUE_LABEL, part_labels
from knoll.kube.security import CONTAINER_SECURITY, POD_SECURITY
from knoll.ports import Document
from knoll.quantities import DEFAULT_RESOURCES, GPU
from knoll.records.run import Run
from knoll.settings import Settings, variable

__all__ = ["job_document"]

_ONE_WEEK = 7 * 24 * 3600
_SERVICE = "knoll-trainers"  # the headless Service in deploy/ gives the Pods of all runs their host names
_PORT = 29400
_PATIENCE = 900  # seconds that a node waits for the others, which may still pull the image
_INDEX = f"metadata.annotations['{COMPLETION_INDEX}']"


def job_document(run: Run, settings: Settings) -> Document:
    """The Job of a run. Its name is the run id, so the API server decides who creates it."""
    labels = {**part_labels(run.model), COMPONENT_LABEL: "trainer"}
    success = {"successPolicy": {"rules": [{"succeededIndexes": "0"}]}} if run.nodes > 1 else {}
    return {
        "apiVersion": JOB_API,
        "kind": "Job",
        "metadata": {"name": run.id, "labels": labels | _queue(settings)},
        "spec": {
            "completions": run.nodes,
            "parallelism": run.nodes,
            "completionMode": "Indexed",
            # when one Pod fails, the others fail with it
            "backoffLimit": (run.retries + 1) * run.nodes - 1,
            "activeDeadlineSeconds": math.ceil(run.deadline),
            "ttlSecondsAfterFinished": _ONE_WEEK,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": _failure_rules()},
            **success,
            "template": {"metadata": {"labels": labels}, "spec": _pod(run, settings)},
        },
    }


def _queue(settings: Settings) -> dict[str, str]:
    labels = {QUEUE_LABEL: settings.queue_name, PRIORITY_LABEL: settings.priority_class}
    return {name: value for name, value in labels.items() if value}


def _failure_rules() -> list[Mapping[str, Any]]:
    """The first rule that matches counts. A Pod that is killed and not disrupted was out of memory: another
    try would end in the same way."""
    return [
        {"action": "FailJob", "onExitCodes": _codes(REJECTED)},
        {"action": "Ignore", "onExitCodes": _codes(PREEMPTED)},
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"action": "FailJob", "onExitCodes": _codes(KILLED)},
    ]


def _codes(code: int) -> Mapping[str, Any]:
    return {"containerName": TRAINER_CONTAINER, "operator": "In", "values": [code]}


def _pod(run: Run, settings: Settings) -> Mapping[str, Any]:
    selector = dict(settings.trainer_node_selector)
    return {
        "restartPolicy": "Never",
        "serviceAccountName": "knoll-trainer",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,  # a Service named knoll would give the variable KNOLL_PORT
        "terminationGracePeriodSeconds": 60,
        "securityContext": dict(POD_SECURITY),
        **({"subdomain": _SERVICE} if run.nodes > 1 else {}),
        **({"nodeSelector": selector} if selector else {}),
        **(
            {"tolerations": [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}]}
            if GPU in run.resources
            else {}
        ),
        "containers": [_container(run, settings)],
        "volumes": [{"name": name, "emptyDir": kind} for name, _, kind in _scratch(run)],
    }


def _container(run: Run, settings: Settings) -> Mapping[str, Any]:
    resources = {name: str(amount) for name, amount in {**DEFAULT_RESOURCES, **run.resources}.items()}
    return {
        "name": TRAINER_CONTAINER,
        "image": settings.trainer_image,
        "args": [run.id],
        "env": [*_installation(settings), *(_group(run) if run.nodes > 1 else [])],
        "envFrom": [{"secretRef": {"name": STORE_SECRET}}],
        "resources": {"requests": resources, "limits": resources},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": dict(CONTAINER_SECURITY),
        "volumeMounts": [{"name": name, "mountPath": path} for name, path, _ in _scratch(run)],
    }


def _installation(settings: Settings) -> list[Mapping[str, Any]]:
    """The settings of the installation that the trainer needs."""
    is_default = settings.model_bucket == Settings.model_fields["model_bucket"].default
    bucket = "" if is_default else settings.model_bucket
    values = {variable("sink"): settings.sink, variable("model_bucket"): bucket}
    given = [{"name": name, "value": value} for name, value in values.items() if value]
    stamps = [_public(variable("stamp_verify_key"))] if settings.stamp_verify_key else []
    return [*given, *(_signing() if settings.verify_key else []), *stamps]


def _signing() -> list[Mapping[str, Any]]:
    """The key that signs, which only Pods of trainings get: while its Secret is missing, the Pod waits."""
    private = {"secretKeyRef": {"name": SIGNING_SECRET, "key": SIGN_FILE}}
    return [{"name": variable("sign_key"), "valueFrom": private}, _public(variable("verify_key"))]


def _public(name: str) -> Mapping[str, Any]:
    """The keys that are accepted, which each Pod reads anew."""
    return {
        "name": name,
        "valueFrom": {"configMapKeyRef": {"name": CONFIG_MAP, "key": name, "optional": True}},
    }


def _group(run: Run) -> list[Mapping[str, Any]]:
    """How the nodes of a run find each other, in whatever order they start."""
    values = {
        "PET_NNODES": str(run.nodes),
        "PET_NPROC_PER_NODE": str(run.processes_per_node),
        "PET_RDZV_ID": run.id,
        "PET_RDZV_CONF": f"timeout={_PATIENCE}",
        "PET_MASTER_ADDR": f"{run.id}-0.{_SERVICE}",
        "PET_MASTER_PORT": str(_PORT),
    }
    number = {"name": "PET_NODE_RANK", "valueFrom": {"fieldRef": {"fieldPath": _INDEX}}}
    return [*({"name": name, "value": value} for name, value in values.items()), number]


def _scratch(run: Run) -> list[tuple[str, str, Mapping[str, str]]]:
    """Name, path and kind of each writable folder. Processes of one node share memory for their tensors."""
    shared: list[tuple[str, str, Mapping[str, str]]] = [("shared", "/dev/shm", {"medium": "Memory"})]
    return [("scratch", "/tmp", {}), *(shared if run.processes_per_node > 1 else [])]
