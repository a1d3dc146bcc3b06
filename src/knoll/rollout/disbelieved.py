"""Reports that are not believed: counted in the Model's status, and reported once.

Anybody who reaches the broker may send any number of them. So they become no dead letters. A process writes
once a minute at most for a Model, and forgets the rest when it ends: there may have been more than the count.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, TypeVar

from knoll.errors import Conflict, InvalidEvent, NotFound
from knoll.events import REPORT_DISBELIEVED, Event, new_event
from knoll.ports import Document, Platform
from knoll.quoting import escaped

__all__ = ["disbelieve", "forget_disbelieved", "read_or_disbelieve"]

_Read = TypeVar("_Read")
_LOG = logging.getLogger(__name__)
_EVERY = timedelta(minutes=1)
_QUIET = timedelta(days=1)  # after so long without one, the next is news


class _Unwritten:
    """The reports that a process has disbelieved and not written yet, by Model, and when it wrote last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._written: dict[str, datetime] = {}

    def count(self, model: str, now: datetime) -> int:
        """Count one more report. If it is time to write, return how many wait, and begin anew; else return
        0."""
        with self._lock:
            self._counts[model] += 1
            if model in self._written and now - self._written[model] < _EVERY:
                return 0
            self._written[model] = now
            return self._counts.pop(model, 0)


def read_or_disbelieve(
    read: Callable[[str, Event], _Read], event: Event, document: Document, platform: Platform
) -> _Read | None:
    """What `read` finds for the Model in the event; None if it is no report: then it is not believed."""
    try:
        return read(document["metadata"]["name"], event)
    except InvalidEvent as error:
        disbelieve(document, str(error), platform)
        return None


def disbelieve(document: Document, reason: str, platform: Platform) -> None:
    """Count a report on this Model that is not believed; say so in the status, the log and an event, unless
    that was done already."""
    model = document["metadata"]["name"]
    count = platform.caches.of(_Unwritten).count(model, platform.clock.now())
    if not count:
        return
    with suppress(NotFound):
        while True:
            try:
                _write(document, count, escaped(reason), platform)
                return
            except Conflict:
                document = platform.cluster.get("Model", model)


def forget_disbelieved(document: Document, platform: Platform) -> Document:
    """The Model. A day after the last report that was not believed, its status forgets them."""
    status = document.get("status") or {}
    told = status.get("disbelievedReports")
    if told is None or not _is_old(told, platform.clock.now()):
        return document
    rest = {key: value for key, value in status.items() if key != "disbelievedReports"}
    try:
        return platform.cluster.update({**document, "status": rest}, status=True)
    except Conflict:  # the next sweep does it
        return document


def _write(document: Document, count: int, reason: str, platform: Platform) -> None:
    status, now = document.get("status") or {}, platform.clock.now()
    before = status.get("disbelievedReports") or {}
    told = {"count": before.get("count", 0) + count, "reason": reason, "at": now.isoformat()}
    shown = {**status, "disbelievedReports": {**before, **told}}
    platform.cluster.update({**document, "status": shown}, status=True)
    if not before:
        _tell(document["metadata"]["name"], told, platform)


def _is_old(told: Mapping[str, Any], now: datetime) -> bool:
    try:
        return now - datetime.fromisoformat(told["at"]) > _QUIET
    except (KeyError, ValueError, TypeError):
        return True


def _tell(model: str, told: Mapping[str, Any], platform: Platform) -> None:
    _LOG.warning("model %s: a report is not believed: %s", model, told["reason"])
    source, now = platform.settings.source, platform.clock.now()
    data = {"model": model, **told}
    platform.events.publish(new_event(REPORT_DISBELIEVED, source=source, time=now, subject=model, data=data))
