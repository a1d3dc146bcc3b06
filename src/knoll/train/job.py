"""The Kubernetes Job that executes a run: a pure function of the run record and the installation's settings.

Nothing that a user or a bucket can name goes into args or env, where Kubernetes would expand `$(VAR)`: only
the run id travels, the trainer reads the rest from the run record. Each node of a run is one Pod; torchrun in
it reads the variables PET_..., which have the names of Kubeflow's trainer. Node 0 is the Pod with index 0 by
its number, not by who came first: the success of that index is the Job's.
"""

import math
from collections.abc import Mapping
from typing import Any

from knoll.exits import PREEMPTED, REJECTED
from knoll.kube.labels import part_labels
from knoll.ports import Document
from knoll.records.run import Run
from knoll.settings import Settings

__all__ = ["job_document"]

_ONE_WEEK = 7 * 24 * 3600
_RESOURCES = {"cpu": "1", "memory": "2Gi"}
_GPU = "nvidia.com/gpu"
_SERVICE = "knoll-trainers"  # the headless Service in deploy/: it gives the Pods of all runs their names
_PORT = 29400
_PATIENCE = 900  # seconds that a node waits for the others: some may still pull the image
_INDEX = "metadata.annotations['batch.kubernetes.io/job-completion-index']"


def job_document(run: Run, settings: Settings) -> Document:
    """The Job of a run. Its name is the run id, so the API server decides who creates it."""
    labels = {**part_labels(run.model), "app.kubernetes.io/component": "trainer"}
    success = {"successPolicy": {"rules": [{"succeededIndexes": "0"}]}} if run.nodes > 1 else {}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": run.id, "labels": labels | _queue(settings)},
        "spec": {
            "completions": run.nodes,
            "parallelism": run.nodes,
            "completionMode": "Indexed",
            "backoffLimit": (run.retries + 1) * run.nodes
            - 1,  # when one Pod fails the others lose it and fail, too
            "activeDeadlineSeconds": math.ceil(run.deadline),
            "ttlSecondsAfterFinished": _ONE_WEEK,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": _failure_rules()},
            **success,
            "template": {"metadata": {"labels": labels}, "spec": _pod(run, settings)},
        },
    }


def _queue(settings: Settings) -> dict[str, str]:
    labels = {
        "kueue.x-k8s.io/queue-name": settings.queue_name,
        "kueue.x-k8s.io/priority-class": settings.priority_class,
    }
    return {name: value for name, value in labels.items() if value}


def _failure_rules() -> list[Mapping[str, Any]]:
    return [
        {
            "action": "FailJob",
            "onExitCodes": {"containerName": "trainer", "operator": "In", "values": [REJECTED]},
        },
        {
            "action": "Ignore",
            "onExitCodes": {"containerName": "trainer", "operator": "In", "values": [PREEMPTED]},
        },
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
    ]


def _pod(run: Run, settings: Settings) -> Mapping[str, Any]:
    selector = dict(settings.trainer_node_selector)
    return {
        "restartPolicy": "Never",
        "serviceAccountName": "knoll-trainer",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,  # a Service named knoll would give the variable KNOLL_PORT
        "terminationGracePeriodSeconds": 60,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        **({"subdomain": _SERVICE} if run.nodes > 1 else {}),
        **({"nodeSelector": selector} if selector else {}),
        **(
            {"tolerations": [{"key": _GPU, "operator": "Exists", "effect": "NoSchedule"}]}
            if _GPU in run.resources
            else {}
        ),
        "containers": [_container(run, settings)],
        "volumes": [{"name": name, "emptyDir": kind} for name, _, kind in _scratch(run)],
    }


def _container(run: Run, settings: Settings) -> Mapping[str, Any]:
    resources = {name: str(amount) for name, amount in {**_RESOURCES, **run.resources}.items()}
    return {
        "name": "trainer",
        "image": settings.trainer_image,
        "args": [run.id],
        "env": [*_installation(settings), *(_group(run) if run.nodes > 1 else [])],
        "envFrom": [{"secretRef": {"name": "knoll-s3"}}],
        "resources": {"requests": resources, "limits": resources},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": name, "mountPath": path} for name, path, _ in _scratch(run)],
    }


def _installation(settings: Settings) -> list[Mapping[str, Any]]:
    """What the trainer must be told of the installation."""
    bucket = (
        ""
        if settings.model_bucket == Settings.model_fields["model_bucket"].default
        else settings.model_bucket
    )
    values = {"K_SINK": settings.sink, "KNOLL_MODEL_BUCKET": bucket}
    return [{"name": name, "value": value} for name, value in values.items() if value]


def _group(run: Run) -> list[Mapping[str, Any]]:
    """How the nodes of a run find each other; the order of who starts first does not matter."""
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
    """Name, place and kind of the folders that can be written; processes of one node exchange tensors by
    shared memory."""
    shared: list[tuple[str, str, Mapping[str, str]]] = [("shared", "/dev/shm", {"medium": "Memory"})]
    return [("scratch", "/tmp", {}), *(shared if run.processes_per_node > 1 else [])]
