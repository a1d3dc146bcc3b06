"""The Kubernetes Job that executes a run: a pure function of the run record.

Nothing that a user or a bucket can name goes into args or env, where Kubernetes would expand `$(VAR)`: only the run id travels, the
trainer reads the rest from the run record.
"""

import math
from collections.abc import Mapping
from typing import Any

from knoll.ports import Document
from knoll.runs import Run
from knoll.settings import Settings

__all__ = ["REJECTED", "UNAVAILABLE", "is_live", "job_document", "job_failure"]

REJECTED = 65  # EX_DATAERR of sysexits.h: the data or config is wrong and stays wrong
UNAVAILABLE = 75  # EX_TEMPFAIL of sysexits.h: try again
_ONE_WEEK = 7 * 24 * 3600
_RESOURCES = {"cpu": "1", "memory": "2Gi"}


def job_document(run: Run, settings: Settings) -> Document:
    """The Job of a run. Its name is the run id, so the API server decides who creates it."""
    labels = {"app.kubernetes.io/managed-by": "knoll", "app.kubernetes.io/component": "trainer", "knoll.dev/model": run.model}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": run.id, "labels": labels},
        "spec": {
            "completions": 1,
            "parallelism": 1,
            "completionMode": "Indexed",
            "backoffLimit": run.retries,
            "activeDeadlineSeconds": math.ceil(run.deadline),
            "ttlSecondsAfterFinished": _ONE_WEEK,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": _failure_rules()},
            "template": {"metadata": {"labels": labels}, "spec": _pod(run, settings)},
        },
    }


def _failure_rules() -> list[Mapping[str, Any]]:
    return [
        {"action": "FailJob", "onExitCodes": {"containerName": "trainer", "operator": "In", "values": [REJECTED]}},
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
    ]


def _pod(run: Run, settings: Settings) -> Mapping[str, Any]:
    resources = {name: str(amount) for name, amount in {**_RESOURCES, **run.resources}.items()}
    return {
        "restartPolicy": "Never",
        "serviceAccountName": "knoll-trainer",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 60,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "trainer",
                "image": settings.trainer_image,
                "args": [run.id],
                "envFrom": [{"secretRef": {"name": "knoll-s3"}}],
                "resources": {"requests": resources, "limits": resources},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [{"name": "scratch", "mountPath": "/tmp"}],
            }
        ],
        "volumes": [{"name": "scratch", "emptyDir": {}}],
    }


def is_live(job: Document) -> bool:
    """Whether a Job may still do something: it has neither completed nor failed."""
    return not any(_is_true(job, kind) for kind in ("Complete", "Failed"))


def job_failure(job: Document) -> str:
    """Why a Job has failed for good, in words; "" when it has not."""
    condition = _is_true(job, "Failed")
    return f"{condition.get('reason', 'Failed')}: {condition.get('message', 'the Job failed')}" if condition else ""


def _is_true(job: Document, kind: str) -> Mapping[str, Any]:
    conditions = (job.get("status") or {}).get("conditions") or []
    return next((one for one in conditions if one.get("type") == kind and one.get("status") == "True"), {})
