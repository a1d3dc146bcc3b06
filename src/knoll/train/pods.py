"""Why a Pod of a Job does not start, and how its last Pod ended, in the words of the kubelet and the
scheduler. Pure: it gets Pod documents and returns values.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from knoll.exits import KILLED
from knoll.kube.jobs import TrainerEnd
from knoll.kube.killed import asked_memory, killed_words
from knoll.kube.kinds import TRAINER_CONTAINER
from knoll.kube.obstacles import STUCK, UNSCHEDULABLE, obstacle_words
from knoll.ports import Document

__all__ = ["last_end", "obstacle"]

_LONGEST = 200  # characters of what a table shows
_LONGEST_END = 1000


def obstacle(pod: Document) -> str:
    """Why the Pod does not start, with what the scheduler or the kubelet says; "" if it can start."""
    status = pod.get("status") or {}
    if status.get("phase", "Pending") != "Pending":
        return ""
    waiting = [(one.get("state") or {}).get("waiting") or {} for one in _containers(status)]
    conditions = [
        one
        for one in status.get("conditions") or []
        if (one.get("type"), one.get("status")) == ("PodScheduled", "False")
    ]
    found = [one for one in waiting if one.get("reason") in STUCK] + [
        one for one in conditions if one.get("reason") == UNSCHEDULABLE
    ]
    if not found:
        return ""
    reason, message = (" ".join(_words(found[0], name)) for name in ("reason", "message"))
    return _cut(obstacle_words(reason, message), _LONGEST)


def last_end(pods: Iterable[Document]) -> TrainerEnd | None:
    """How the last Pod that failed did end, such as "Error, exit code 1"; None if none has failed.

    One that was killed for want of memory goes before the others: they failed because it was gone.
    """
    ends = [(_end(pod), _ended_at(pod)) for pod in pods if _has_failed(pod)]
    return max(ends, key=lambda one: (one[0].lacked_memory, one[1], one[0].words))[0] if ends else None


def _has_failed(pod: Document) -> bool:
    return (pod.get("status") or {}).get("phase") == "Failed"


def _end(pod: Document) -> TrainerEnd:
    """How a Pod that failed did end."""
    status, end = pod["status"], _terminated(pod)
    code = [f"exit code {end['exitCode']}"] if "exitCode" in end else []
    how = ", ".join([*_words(end, "reason"), *code])
    shortage = _memory_words(pod, end)
    told = [*shortage, *_words(status, "reason", "message"), *([how] if how else []), *_words(end, "message")]
    return TrainerEnd(
        _cut(": ".join(told) or "nothing says why it failed", _LONGEST_END),
        end.get("exitCode"),
        bool(shortage),
    )


def _ended_at(pod: Document) -> str:
    created = (pod.get("metadata") or {}).get("creationTimestamp")
    return str(_terminated(pod).get("finishedAt") or created or "")


def _terminated(pod: Document) -> Mapping[str, Any]:
    """How the container of the trainer ended, as the kubelet describes it; empty if that is unknown."""
    ends = [one for one in _containers(pod["status"]) if one.get("name") == TRAINER_CONTAINER]
    return ((ends[0].get("state") or {}).get("terminated") or {}) if ends else {}


def _memory_words(pod: Document, end: Mapping[str, Any]) -> list[str]:
    """That the container was killed for want of memory, if it was."""
    is_known, is_disrupted = end.get("reason") == "OOMKilled", _is_disrupted(pod)
    if not is_known and (end.get("exitCode") != KILLED or is_disrupted):
        return []
    asked = asked_memory(pod.get("spec") or {})
    return [killed_words(asked, "all of it" if is_known else "an unknown amount")]


def _is_disrupted(pod: Document) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any((one.get("type"), one.get("status")) == ("DisruptionTarget", "True") for one in conditions)


def _containers(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _words(found: Mapping[str, Any], *names: str) -> list[str]:
    return [" ".join(str(found[name]).split()) for name in names if found.get(name)]


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
