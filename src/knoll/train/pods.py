"""Why a Pod of a Job does not start, and how its last Pod ended, in the words of the kubelet and the
scheduler. Pure: Pod documents in, words out.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from knoll.exits import KILLED
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


def last_end(pods: Iterable[Document]) -> str:
    """How the last Pod that failed did end, such as "Error, exit code 1"; "" if none has failed.

    One that was killed for want of memory goes before the others: they failed because it was gone.
    """
    ends = sorted(end for pod in pods if (end := _end(pod))[2])
    return _cut(ends[-1][2], _LONGEST_END) if ends else ""


def _end(pod: Document) -> tuple[bool, str, str]:
    """Whether the Pod was killed for want of memory, when it ended, and how. How is empty if it did not
    fail."""
    status = pod.get("status") or {}
    if status.get("phase") != "Failed":
        return False, "", ""
    ends = [
        (one.get("state") or {}).get("terminated") or {}
        for one in _containers(status)
        if one.get("name") == TRAINER_CONTAINER
    ]
    end = ends[0] if ends else {}
    code = [f"exit code {end['exitCode']}"] if "exitCode" in end else []
    how = ", ".join([*_words(end, "reason"), *code])
    time = str(end.get("finishedAt") or (pod.get("metadata") or {}).get("creationTimestamp") or "")
    shortage = _memory_words(pod, end)
    told = [*shortage, *_words(status, "reason", "message"), *([how] if how else []), *_words(end, "message")]
    return bool(shortage), time, ": ".join(told)


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
