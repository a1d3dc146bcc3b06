"""The Models as this process saw them last, at most a second ago: ten events that come at once cost one
request.

An answer of the API server is old when it arrives. So a decision may rest on these Models if nothing else
depends on it, or if a conditional write checks it.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from knoll.errors import ClusterUnavailable, Unavailable
from knoll.ports import Document, Platform

__all__ = ["recent_models", "remember_model"]

_OLDEST = timedelta(seconds=1)
Documents = Mapping[str, Document]


@dataclass(frozen=True)
class _View:
    """The documents by name, as they were at a time, or why they could not be read."""

    at: datetime
    documents: Documents
    fault: str = ""

    def is_recent(self, now: datetime) -> bool:
        return timedelta(0) <= now - self.at < _OLDEST


class _Models:
    """The last view of this process."""

    def __init__(self) -> None:
        # not Lock: schedules hold a call up, and lead the thread that reads back here
        self._lock = threading.RLock()
        self._view: _View | None = None

    def see(self, platform: Platform, suffices: Callable[[Documents], bool]) -> _View:
        view = self._usable(platform, suffices)  # most calls end here, and wait for no other thread
        if view is None:
            with self._lock:
                view = self._usable(platform, suffices)
                if view is None:
                    view = self._view = _read(platform)
        return view

    def _usable(self, platform: Platform, suffices: Callable[[Documents], bool]) -> _View | None:
        view = self._view
        if view is None or not view.is_recent(platform.clock.now()):
            return None
        return view if view.fault or suffices(view.documents) else None

    def remember(self, document: Document) -> None:
        with self._lock:
            if self._view is not None:
                documents = {**self._view.documents, document["metadata"]["name"]: document}
                self._view = replace(self._view, documents=documents)


def recent_models(platform: Platform, suffices: Callable[[Documents], bool] = lambda _: True) -> Documents:
    """Documents of the Models, by name, for reading only. If the known ones do not suffice, they are read
    again.

    While one thread reads, the others wait for it. Raises Unavailable if they cannot be read, and for a
    second after that.
    """
    view = platform.caches.of(_Models).see(platform, suffices)
    if view.fault:
        raise ClusterUnavailable(view.fault)
    return view.documents


def remember_model(document: Document, platform: Platform) -> Document:
    """Keep the document, which was read or written just now: no later decision here uses an older one."""
    platform.caches.of(_Models).remember(document)
    return document


def _read(platform: Platform) -> _View:
    at = platform.clock.now()
    try:
        return _View(
            at, {document["metadata"]["name"]: document for document in platform.cluster.list("Model")}
        )
    except Unavailable as error:
        return _View(platform.clock.now(), {}, f"the Models could not be listed: {error}")
