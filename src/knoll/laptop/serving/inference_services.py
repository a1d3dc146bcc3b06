"""InferenceServices and Revisions in the document store: `plan` decides, this module writes.

Every method may be called again after a failure; it does only what is still missing. A status is written
before its event is sent. If the event is lost between the two, the sweep makes up for it.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from knoll.errors import Conflict, NotFound, Rejected
from knoll.exits import REJECTED
from knoll.kube.labels import REVISION_LABEL
from knoll.kube.predictors import PREDICTOR_SUFFIX
from knoll.laptop.changes import publish_change
from knoll.laptop.serving.plan import plan
from knoll.laptop.serving.revisions import Readiness, isvc_name, refusing_pod, with_verdict
from knoll.ports import Clock, Cluster, Document, Events

__all__ = ["Documents", "InferenceServices"]

_LOG = logging.getLogger(__name__)
_LONGEST_NAME = 63 - len(f"{PREDICTOR_SUFFIX}-00001")
_NUMBERS = ("minReplicas", "maxReplicas", "containerConcurrency", "canaryTrafficPercent")


class Documents(Cluster, Protocol):
    """A cluster that can say cheaply whether anything has changed."""

    def revision(self) -> int:
        """A number that rises with every write."""


class InferenceServices:
    """All InferenceServices and their Revisions. Every method raises Unavailable when the store or the broker
    does not answer."""

    def __init__(self, documents: Documents, events: Events, clock: Clock) -> None:
        self._documents, self._events, self._clock = documents, events, clock
        self._unsent: dict[str, Document] = {}

    def revision(self) -> int:
        """A number that rises with every write to the documents."""
        return self._documents.revision()

    def models(self) -> list[Document]:
        """The Models, which say how requests are routed."""
        return self._documents.list("Model")

    def settle(self, url: str) -> tuple[list[Document], list[Document]]:
        """Write the Revisions and the status that the InferenceServices ask for; return both kinds as they
        are then."""
        isvcs = [one for one in self._documents.list("InferenceService") if _is_readable(one)]
        revisions: dict[str, list[Document]] = {one["metadata"]["name"]: [] for one in isvcs}
        for one in self._documents.list("Revision"):
            if (name := isvc_name(one)) in revisions:
                revisions[name].append(one)
            else:
                self._delete([one["metadata"]["name"]])
        settled = [self._try_settle(one, revisions[one["metadata"]["name"]], url) for one in isvcs]
        return settled, self._documents.list("Revision")

    def publish(self) -> None:
        """Send the events of those status changes that have not been sent."""
        for name, isvc in list(self._unsent.items()):
            publish_change(isvc, self._events, self._clock)
            del self._unsent[name]

    def judge(self, revision: Document, found: Readiness) -> None:
        """Write whether this very Revision, by its uid, has become ready."""
        name, uid = revision["metadata"]["name"], revision["metadata"]["uid"]
        with suppress(NotFound):
            while (live := self._documents.get("Revision", name))["metadata"]["uid"] == uid:
                with suppress(Conflict):
                    self._documents.update(with_verdict(live, found), status=True)
                    return

    def tell_refusal(self, revision: Document, message: str | None) -> None:
        """Say in a Pod of the Revision that its replica refuses to serve, and why; None says that it does
        not."""
        for old in self._documents.list("Pod", {REVISION_LABEL: revision["metadata"]["name"]}):
            with suppress(NotFound):
                self._documents.delete("Pod", old["metadata"]["name"])
        if message is not None:
            pod = refusing_pod(revision, REJECTED, message)
            self._documents.update({**self._documents.create(pod), "status": pod["status"]}, status=True)

    def _try_settle(self, isvc: Document, revisions: Sequence[Document], url: str) -> Document:
        try:
            return self._settle(isvc, revisions, url)
        except Rejected as error:  # if no Revision can be made of it, it must not stop the others
            _LOG.warning("cannot serve %s: %s", isvc["metadata"]["name"], error)
            return isvc

    def _settle(self, isvc: Document, revisions: Sequence[Document], url: str) -> Document:
        decided = plan(isvc, revisions, url)
        self._delete(decided.delete)
        if decided.create is not None:
            self._documents.create(decided.create)
        if decided.status == isvc.get("status"):
            return isvc
        written = self._documents.update({**isvc, "status": decided.status}, status=True)
        self._unsent[isvc["metadata"]["name"]] = written
        return written

    def _delete(self, revisions: Iterable[str]) -> None:
        for name in revisions:
            with suppress(NotFound):
                self._documents.delete("Revision", name)


def _is_readable(isvc: Document) -> bool:
    """Whether this code can work with the document. A cluster's admission checks far more."""
    name, predictor = isvc["metadata"]["name"], (isvc.get("spec") or {}).get("predictor")
    fault = _fault(predictor) if isinstance(predictor, Mapping) else "spec.predictor is missing"
    if len(name) > _LONGEST_NAME:
        fault = f"its name has more than {_LONGEST_NAME} characters: those of its Revisions would be too long"
    if fault:
        _LOG.warning("InferenceService %s is not served: %s", name, fault)
    return not fault


def _fault(predictor: Mapping[str, Any]) -> str:
    for name in _NUMBERS:
        if name in predictor and (type(predictor[name]) is not int or predictor[name] < 0):
            return f"spec.predictor.{name} must be a whole number from 0"
    if predictor.get("canaryTrafficPercent", 0) > 100:
        return "spec.predictor.canaryTrafficPercent must be at most 100"
    containers = predictor.get("containers", [])
    if not isinstance(containers, list) or not all(
        isinstance(one, Mapping) and isinstance(one.get("image"), str) for one in containers
    ):
        return "spec.predictor.containers must be a list of containers with an image"
    return ""
