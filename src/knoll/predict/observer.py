"""What a predictor reports about itself: cumulative counts of this process, so that lost and doubled reports
do no harm."""

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
    """Requests since the process started; `latency` has a count for each bucket and a last one for what took
    longer."""

    requests: int = 0
    errors: int = 0
    latency: tuple[int, ...] = (0,) * (len(BUCKETS) + 1)

    def plus(self, status: int, seconds: float) -> "Counts":
        """The counts after one more answer; 5xx is an error of the predictor, 4xx is not."""
        bucket = bisect_left(BUCKETS, seconds)
        latency = tuple(count + (index == bucket) for index, count in enumerate(self.latency))
        return Counts(self.requests + 1, self.errors + (status >= 500), latency)

    @property
    def cold_starts(self) -> int:
        """1 once the process has been asked: that request had to wait for its start."""
        return min(self.requests, 1)


class Observer:
    """Counts answers and reports them in the background, at most once a second, and not when nothing has
    changed."""

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
        self._is_heard = True
        self._stopping = threading.Event()

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Report meanwhile, and for the last time in the end, if there is a sink.

        A broker may have a report and keep its answer back while a function behind it starts. So the last
        report goes out beside one that is under way, and is waited for only so long.
        """
        if not self._platform.settings.sink:
            yield
            return
        self._thread_of(self._report_until_stopped)
        try:
            yield
        finally:
            self._stopping.set()
            self._thread_of(self._report).join(_LAST_WITHIN)

    def observe(self, status: int, seconds: float) -> None:
        """Count one answer and the time that it took."""
        with self._lock:
            self._counts = self._counts.plus(status, seconds)

    def _thread_of(self, work: Callable[[], None]) -> threading.Thread:
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
            if self._is_heard:
                _log.warning("a report was lost, a later one will hold its counts: %s", error)
            self._is_heard = False
        else:
            self._reported, self._is_heard = counts, True

    def _data(self, counts: Counts) -> dict[str, Any]:
        return {
            **self._about,
            "requests": counts.requests,
            "errors": counts.errors,
            "coldStarts": counts.cold_starts,
            "latency": {"bucketsSeconds": list(BUCKETS), "counts": list(counts.latency)},
        }
