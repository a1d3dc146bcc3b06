"""What the status of an InferenceService, its newest Revision and their Pods say. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from knoll.exits import PREEMPTED, REJECTED, UNAVAILABLE
from knoll.kube.kinds import PREDICTOR_CONTAINER
from knoll.kube.labels import REVISION_LABEL, VERSION_LABEL, label_of
from knoll.kube.obstacles import GAVE_UP, UNSCHEDULABLE
from knoll.kube.predictors import predictor_status, tagged_url
from knoll.ports import Document

__all__ = [
    "Observed",
    "crashes",
    "newest_revision",
    "observe",
    "refusals",
    "rolled_out_revisions",
    "was_ready",
]

_MAY_PASS = (UNAVAILABLE, PREEMPTED)  # exit codes: the store did not answer; the node went away
_EXIT = re.compile(r"ExitCode(\d+)")  # how Knative names the reason
# Kubernetes has no reason of its own for it. The API server says "exceeded quota: …" or "failed quota: …".
_OF_QUOTA = " quota: "


@dataclass(frozen=True)
class Observed:
    """What is seen of the wanted version: whether its revision is the newest one and ready, its percentage of
    the traffic, and its URL past the traffic split; `champion_url` is that of the revision that gets the
    rest. `failure` says why it can never serve, `gave_up` that Knative waits for it no longer, and `trouble`
    why it does not serve yet. `has_no_room` says that its Pod finds no room, `champion_waits` that a Pod of
    the champion has not started, as far as that matters."""

    is_ready: bool = False
    percent: int = 0
    tagged_url: str = ""
    champion_url: str = ""
    failure: str = ""
    gave_up: bool = False
    trouble: str = ""
    has_no_room: bool = False
    champion_waits: bool = False


@dataclass(frozen=True)
class Hindrance:
    """Why a Revision does not serve: the reason and message of Kubernetes or Knative, and the exit code of
    its predictor; 0 if that is not why."""

    reason: str
    message: str
    exit_code: int = 0

    @property
    def is_final(self) -> bool:
        """Whether it can never serve. After an end that may pass, its process is started again."""
        has_crashed = self.exit_code and self.exit_code not in _MAY_PASS
        return bool(has_crashed) or self.reason == GAVE_UP

    @property
    def is_no_room(self) -> bool:
        """Whether no node has room for the Pod, or a quota forbids it."""
        is_refused = self.reason == "FailedCreate" and _OF_QUOTA in self.message
        return self.reason == UNSCHEDULABLE or is_refused

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.reason, self.message))).strip()


def newest_revision(isvc: Document | None) -> str:
    """Name of the newest Revision of an InferenceService; "" before the first one."""
    return str(predictor_status(isvc).get("latestCreatedRevision") or "")


def rolled_out_revisions(isvc: Document | None) -> tuple[str, ...]:
    """Names of the Revisions with which KServe shares the traffic of a newer one: the one that was rolled
    out, and the one before it. Without any, the newest one that is ready gets all traffic, whatever
    percentage is asked for."""
    found = predictor_status(isvc)
    names = (str(found.get(name) or "") for name in ("latestRolledoutRevision", "previousRolledoutRevision"))
    return tuple(filter(None, names))


def was_ready(isvc: Document) -> bool:
    """Whether any Revision of the InferenceService has been ready."""
    return bool(predictor_status(isvc).get("latestReadyRevision"))


def observe(
    isvc: Document | None, revision: Document | None, version: str, pods: Sequence[Document] = ()
) -> Observed:
    """Read the InferenceService, its newest Revision, and that Revision's Pods.

    Right after a write the first two may still be about the version before. So only a Revision with the label
    `version` counts. `Ready` of the InferenceService is not used: it is Unknown during an update that serves
    well. The Pods show at once that a Revision crashes; Knative says so only after the progress deadline.
    """
    if isvc is None or revision is None or _version(revision) != version:
        return Observed()
    predictor, created = predictor_status(isvc), newest_revision(isvc)
    targets = predictor.get("traffic") or []
    newest = [one for one in targets if one.get("revisionName") == created]
    others = [one for one in targets if one.get("tag") and one.get("revisionName") != created]
    is_ready = predictor.get("latestReadyRevision") == created
    found = None if is_ready else _not_ready(revision) or _crash(pods)
    trouble = str(found) if found else ""
    return Observed(
        is_ready=is_ready,
        percent=sum(one.get("percent") or 0 for one in newest),
        tagged_url=_url(predictor, newest),
        champion_url=_url(predictor, others) if others else "",
        failure=trouble if found and found.is_final else "",
        gave_up=found is not None and found.reason == GAVE_UP,
        trouble=trouble,
        has_no_room=found is not None and found.is_no_room,
    )


def refusals(pods: Iterable[Document]) -> Mapping[tuple[str, str], str]:
    """What the predictors said that refused to serve their version, by Revision and version."""
    refused = ((pod, end) for pod in pods for end in _ends(pod) if end["exitCode"] == REJECTED)
    return {
        (label_of(pod, REVISION_LABEL), label_of(pod, VERSION_LABEL)): str(end.get("message") or "")
        for pod, end in refused
    }


def crashes(pod: Document) -> int:
    """How often the predictor in a Pod has ended by a crash; 0 if its last end was none, or may pass."""
    for container in (pod.get("status") or {}).get("containerStatuses") or []:
        if container.get("name") == PREDICTOR_CONTAINER:
            state, last = container.get("state") or {}, container.get("lastState") or {}
            code = (state.get("terminated") or last.get("terminated") or {}).get("exitCode")
            if code and code != REJECTED and code not in _MAY_PASS:
                return int(container.get("restartCount") or 0) + ("running" not in state)
    return 0


def _url(predictor: Mapping[str, Any], targets: Sequence[Mapping[str, Any]]) -> str:
    """The route of the first tag; without one, that of all traffic."""
    return tagged_url(predictor, next((str(one["tag"]) for one in targets if one.get("tag")), ""))


def _version(revision: Document) -> str:
    return label_of(revision, VERSION_LABEL)


def _not_ready(revision: Document) -> Hindrance | None:
    """Why a Revision has failed."""
    conditions = (revision.get("status") or {}).get("conditions") or []
    failed = (one for one in conditions if one.get("type") == "Ready" and one.get("status") == "False")
    return next((_of_knative(one.get("reason", ""), one.get("message", "")) for one in failed), None)


def _of_knative(reason: str, message: str) -> Hindrance:
    ended = _EXIT.fullmatch(reason)
    return Hindrance(reason, message, int(ended[1]) if ended else 0)


def _crash(pods: Iterable[Document]) -> Hindrance | None:
    """The predictor's last end in any of the Pods."""
    ends = (end for pod in pods for end in _ends(pod))
    return next((_crashed(end["exitCode"], end.get("message", "")) for end in ends), None)


def _crashed(code: int, message: str) -> Hindrance:
    return Hindrance(f"ExitCode{code}", message, code)


def _ends(pod: Document) -> Iterator[Mapping[str, Any]]:
    """How the predictor in a Pod did end, as far as it is not ready again."""
    for container in (pod.get("status") or {}).get("containerStatuses") or []:
        if container.get("name") == PREDICTOR_CONTAINER and not container.get("ready"):
            ends = [(container.get(state) or {}).get("terminated") for state in ("state", "lastState")]
            yield from (end for end in ends if end and end.get("exitCode"))
