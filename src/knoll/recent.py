"""The Models as a process has seen them last: a second old at most, so that ten events that come at once cost
one request.

Whoever reads the API server has an old answer as soon as it arrives; a second is what a decision may rest on
that nothing else depends on, or that a conditional write puts to the test.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from knoll.errors import ClusterUnavailable, Unavailable
from knoll.ports import Cluster, Document, Platform

__all__ = ["recent_models", "remember_model"]

_OLDEST = timedelta(seconds=1)
Documents = Mapping[str, Document]


@dataclass(frozen=True)
class _View:
    """The documents by name, as they were at a time, or why nobody could read them."""

    at: datetime
    documents: Documents
    fault: str = ""

    def is_recent(self, now: datetime) -> bool:
        return timedelta(0) <= now - self.at < _OLDEST


_LOCK = (
    threading.RLock()
)  # not Lock: a thread that reads may be led back here, as schedules do that hold a call up
_VIEWS: WeakKeyDictionary[Cluster, _View] = WeakKeyDictionary()


def recent_models(platform: Platform, suffices: Callable[[Documents], bool] = lambda _: True) -> Documents:
    """Documents of the Models, by name, for reading only; if those that are known do not suffice, they are
    read anew.

    While one thread reads, the others wait for it. Raises Unavailable, also for a second after somebody could
    not read.
    """
    with _LOCK:
        view = _VIEWS.get(platform.cluster)
        if (
            view is None
            or not view.is_recent(platform.clock.now())
            or not (view.fault or suffices(view.documents))
        ):
            view = _VIEWS[platform.cluster] = _read(platform)
    if view.fault:
        raise ClusterUnavailable(view.fault)
    return view.documents


def remember_model(document: Document, platform: Platform) -> Document:
    """The document, which was read or written just now: until all are read anew nobody here decides by an
    older one."""
    with _LOCK:
        view = _VIEWS.get(platform.cluster)
        if view is not None:
            _VIEWS[platform.cluster] = replace(
                view, documents={**view.documents, document["metadata"]["name"]: document}
            )
    return document


def _read(platform: Platform) -> _View:
    at = platform.clock.now()
    try:
        return _View(
            at, {document["metadata"]["name"]: document for document in platform.cluster.list("Model")}
        )
    except Unavailable as error:
        return _View(platform.clock.now(), {}, f"the Models could not be listed: {error}")
