"""What a predictor reports about itself: counts since the start of its process, so that lost and doubled
reports do no harm."""

import logging
import threading
import uuid
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from knoll.errors import KnollError
from knoll.events import PREDICTOR_OBSERVED, new_event
from knoll.ports import Platform

__all__ = ["BUCKETS", "Counts", "Observer"]

_log = logging.getLogger(__name__)

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # upper ends, in seconds
_INTERVAL = 1.0  # seconds between two reports
_LAST_WITHIN = 5.0  # seconds for the last one


@dataclass(frozen=True)
class Counts:
    """Requests since the process started. `latency` has a count for each bucket, and a last one for slower
    requests."""

    requests: int = 0
    errors: int = 0
    refused: int = 0
    latency: tuple[int, ...] = (0,) * (len(BUCKETS) + 1)

    def plus(self, status: int, seconds: float) -> "Counts":
        """The counts after one more answer; 5xx is an error of the predictor, 4xx a refused request."""
        bucket = bisect_left(BUCKETS, seconds)
        latency = tuple(count + (index == bucket) for index, count in enumerate(self.latency))
        errors, refused = self.errors + (status >= 500), self.refused + (400 <= status < 500)
        return Counts(self.requests + 1, errors, refused, latency)

    @property
    def cold_starts(self) -> int:
        """1 after the first request, which had to wait for the start of the process."""
        return min(self.requests, 1)


class Observer:
    """Counts answers, and reports them in the background at most once a second, if they have changed."""

    def __init__(self, model: str, version: str, platform: Platform) -> None:
        self._about = {
            "model": model,
            "version": version,
            "revision": platform.settings.revision,
            "instance": str(uuid.uuid4()),
        }
        self._platform = platform
        self._lock = threading.Lock()
        self._counts = Counts()
        self._reported = Counts()
        self._is_warned = False
        self._stopping = threading.Event()

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Report meanwhile, and for the last time at the end, if there is a sink.

        A broker may answer a report late, because a function behind it has to start. So the last report does
        not wait for an earlier one, and takes a few seconds at most.
        """
        if not self._platform.settings.sink:
            yield
            return
        self._start_thread(self._report_until_stopped)
        try:
            yield
        finally:
            self._stopping.set()
            self._start_thread(self._report).join(_LAST_WITHIN)

    def observe(self, status: int, seconds: float) -> None:
        """Count one answer and the time that it took."""
        with self._lock:
            self._counts = self._counts.plus(status, seconds)

    def _start_thread(self, work: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=work, name="observer", daemon=True)
        thread.start()
        return thread

    def _report_until_stopped(self) -> None:
        while not self._stopping.wait(_INTERVAL):
            self._report()

    def _report(self) -> None:
        with self._lock:
            counts = self._counts
        if counts == self._reported:
            return
        settings, clock = self._platform.settings, self._platform.clock
        event = new_event(
            PREDICTOR_OBSERVED,
            source=settings.source,
            time=clock.now(),
            subject=self._about["model"],
            data=self._data(counts),
        )
        try:
            self._platform.events.publish(event)
        except KnollError as error:
            if not self._is_warned:
                _log.warning("a report was lost; a later one will have its counts: %s", error)
            self._is_warned = True
        else:
            self._reported, self._is_warned = counts, False

    def _data(self, counts: Counts) -> dict[str, Any]:
        return {
            **self._about,
            "requests": counts.requests,
            "errors": counts.errors,
            "refused": counts.refused,
            "coldStarts": counts.cold_starts,
            "latency": {"bucketsSeconds": list(BUCKETS), "counts": list(counts.latency)},
        }
