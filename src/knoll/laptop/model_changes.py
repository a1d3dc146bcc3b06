"""Tells of changed Models, as an ApiServerSource does on a cluster.

Any process may write a Model into the file of documents. So a thread watches a number that rises with each
write to the file, and reads the Models only if it has risen.
"""

from typing import Protocol

from knoll.laptop.changes import publish_change
from knoll.laptop.repeated import Repeated
from knoll.ports import Clock, Cluster, Events

__all__ = ["ModelChanges"]

_EVERY = 0.5  # seconds between looks


class _Documents(Cluster, Protocol):
    def revision(self) -> int: ...


class ModelChanges(Repeated):
    """A thread that publishes an event for each Model that has changed since the look before."""

    def __init__(self, documents: _Documents, events: Events, clock: Clock) -> None:
        super().__init__("model-changes", _EVERY)
        self._documents, self._events, self._clock = documents, events, clock
        self._revision = -1
        self._known: dict[str, str] = {}  # resourceVersion by uid

    def work(self) -> None:
        """Publish an event for each Model that has changed since the last look. The first look publishes
        nothing, and a new Model gets no event. Raises Unavailable; the next look then publishes it again."""
        revision = self._documents.revision()
        if revision == self._revision:
            return
        models = self._documents.list("Model")
        for one in models:
            known = self._known.get(one["metadata"]["uid"])
            if known not in (None, one["metadata"]["resourceVersion"]):
                publish_change(one, self._events, self._clock)
        self._known = {one["metadata"]["uid"]: one["metadata"]["resourceVersion"] for one in models}
        self._revision = revision
