"""InferenceServices and Revisions in the document store: what `revisions` decides is written here, and
nothing else is.

Every method may be called again after a failure, and does only what is still missing. A status is written
first and its event sent then: an event that is lost between the two is made up for by the sweep, as
everywhere.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from knoll.errors import Conflict, NotFound, Rejected
from knoll.events import object_changed
from knoll.laptop.serving.revisions import Verdict, plan, service_of, with_verdict
from knoll.ports import Clock, Cluster, Document, Events

__all__ = ["Documents", "Services"]

_LOG = logging.getLogger(__name__)
_SOURCE = "/knoll/laptop"
_LONGEST_NAME = 63 - len("-predictor-00001")


class Documents(Cluster, Protocol):
    """A cluster that can be asked cheaply whether anything has changed."""

    def revision(self) -> int:
        """A number that rises with every write."""


class Services:
    """The documents of all model servers. Every method raises Unavailable when the store or the broker does
    not answer."""

    def __init__(self, documents: Documents, events: Events, clock: Clock) -> None:
        self._documents, self._events, self._clock = documents, events, clock
        self._unsent: dict[str, Document] = {}

    def revision(self) -> int:
        """A number that rises with every write to the documents."""
        return self._documents.revision()

    def settle(self, url: str) -> tuple[list[Document], list[Document]]:
        """Bring Revisions and status up to what the InferenceServices ask for; returns both kinds as they are
        then."""
        services = [one for one in self._documents.list("InferenceService") if _is_readable(one)]
        revisions = self._documents.list("Revision")
        names = {one["metadata"]["name"] for one in services}
        self._delete(one["metadata"]["name"] for one in revisions if service_of(one) not in names)
        settled = [
            self._settled(
                one, [each for each in revisions if service_of(each) == one["metadata"]["name"]], url
            )
            for one in services
        ]
        return settled, self._documents.list("Revision")

    def publish(self) -> None:
        """Send the events of the status changes that have not been sent."""
        for name, service in list(self._unsent.items()):
            self._events.publish(object_changed(service, source=_SOURCE, time=self._clock.now()))
            del self._unsent[name]

    def judge(self, revision: Document, found: Verdict) -> None:
        """Write whether this very Revision, by its uid, has become ready."""
        name, uid = revision["metadata"]["name"], revision["metadata"]["uid"]
        with suppress(NotFound):
            while (live := self._documents.get("Revision", name))["metadata"]["uid"] == uid:
                with suppress(Conflict):
                    self._documents.update(with_verdict(live, found), status=True)
                    return

    def _settled(self, service: Document, revisions: Sequence[Document], url: str) -> Document:
        try:
            return self._settle(service, revisions, url)
        except Rejected as error:  # one that no Revision can be made of must not stop the others
            _LOG.warning("cannot serve %s: %s", service["metadata"]["name"], error)
            return service

    def _settle(self, service: Document, revisions: Sequence[Document], url: str) -> Document:
        decided = plan(service, revisions, url)
        self._delete(decided.delete)
        if decided.create is not None:
            self._documents.create(decided.create)
        if decided.status == service.get("status"):
            return service
        written = self._documents.update({**service, "status": decided.status}, status=True)
        self._unsent[service["metadata"]["name"]] = written
        return written

    def _delete(self, revisions: Iterable[str]) -> None:
        for name in revisions:
            with suppress(NotFound):
                self._documents.delete("Revision", name)


def _is_readable(service: Document) -> bool:
    """A cluster's admission checks far more; here it is what the code relies on."""
    name, predictor = service["metadata"]["name"], (service.get("spec") or {}).get("predictor")
    fault = _fault(predictor) if isinstance(predictor, Mapping) else "spec.predictor is missing"
    if len(name) > _LONGEST_NAME:
        fault = f"its name has more than {_LONGEST_NAME} characters: those of its revisions would be too long"
    if fault:
        _LOG.warning("InferenceService %s is left alone: %s", name, fault)
    return not fault


def _fault(predictor: Mapping[str, Any]) -> str:
    numbers = ("minReplicas", "maxReplicas", "containerConcurrency", "canaryTrafficPercent")
    wrong = [
        name
        for name in numbers
        if name in predictor and (type(predictor[name]) is not int or predictor[name] < 0)
    ]
    if wrong:
        return f"spec.predictor.{wrong[0]} must be a number from 0"
    if predictor.get("canaryTrafficPercent", 0) > 100:
        return "spec.predictor.canaryTrafficPercent must be at most 100"
    containers = predictor.get("containers", [])
    if not isinstance(containers, list) or not all(
        isinstance(one, Mapping) and isinstance(one.get("image"), str) for one in containers
    ):
        return "spec.predictor.containers must be a list of containers with an image"
    return ""
