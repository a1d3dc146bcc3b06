"""The status that the Kubernetes Job controller would write.

One condition is knoll's own: `Waiting`, while an attempt cannot start. Its reason is one that a
cluster shows on the Pod (ErrImagePull, CreateContainerConfigError), or NoRoom: nothing is scheduled here.
Two fields of the condition `Failed` are knoll's own, too: `exitCode` and `lackedMemory`. A cluster shows them
on the Pod.
"""

from datetime import datetime
from typing import Any

from knoll.kube.times import timestamp
from knoll.laptop.jobs.attempts import Action, Fail, JobWait, Obstacle, Retry, Start, Succeed, Terminate
from knoll.ports import Document

__all__ = ["status_after"]


def status_after(job: Document, action: Action, now: datetime) -> dict[str, Any]:
    """The status of `job` after `action`; equal to the present one if nothing changes."""
    status: dict[str, Any] = job.get("status") or {}
    time = timestamp(now)
    if any(one["type"] in ("Complete", "Failed") for one in status.get("conditions") or []):
        return status
    changed = {"startTime": time, **status, **_counts(status, action)}
    match action:
        case Succeed():
            done = _condition(
                "Complete", "CompletionsReached", "Reached expected number of succeeded pods", time
            )
            return {**changed, "completionTime": time, "conditions": [done]}
        case Fail():
            return {**changed, "conditions": [_failed(action, time)]}
        case JobWait(obstacle=Obstacle() as obstacle):
            return {**changed, "conditions": [_waiting(status, obstacle, time)]}
    return {**changed, "conditions": []}


def _counts(status: dict[str, Any], action: Action) -> dict[str, int]:
    is_running = isinstance(action, Start | Terminate) or (isinstance(action, JobWait) and action.is_running)
    is_pending = (
        isinstance(action, JobWait)
        and action.obstacle is not None
        and action.obstacle.reason != "JobSuspended"
    )
    is_counted = isinstance(action, Retry | Fail) and action.is_counted
    return {
        "active": int(is_running or is_pending),
        "ready": int(is_running),
        "succeeded": int(isinstance(action, Succeed)),
        "failed": status.get("failed", 0) + int(is_counted),
    }


def _condition(kind: str, reason: str, message: str, time: str) -> dict[str, str]:
    return {"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": time}


def _failed(action: Fail, time: str) -> dict[str, Any]:
    condition: dict[str, Any] = _condition("Failed", action.reason, action.message, time)
    if action.exit_code is not None:
        condition["exitCode"] = action.exit_code
    return {**condition, "lackedMemory": True} if action.lacked_memory else condition


def _waiting(status: dict[str, Any], obstacle: Obstacle, time: str) -> dict[str, str]:
    """The condition Waiting. It keeps its time while the reason stays the same."""
    condition = _condition("Waiting", obstacle.reason, obstacle.message, time)
    for one in status.get("conditions") or []:
        if one["type"] == "Waiting" and one["reason"] == obstacle.reason:
            return {**condition, "lastTransitionTime": one["lastTransitionTime"]}
    return condition
