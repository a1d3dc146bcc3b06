"""What a predictor reports about itself: counts since the start of its process, so that lost and doubled
reports do no harm, each proved with the key of its Revision, if that has one."""

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
from knoll.proofs import REPORT_PURPOSE, prove
from knoll.records.evidence import Report

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
        self._model, self._version, self._replica = model, version, str(uuid.uuid4())
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
        self._start_thread(self._send_until_stopped)
        try:
            yield
        finally:
            self._stopping.set()
            self._start_thread(self._send).join(_LAST_WITHIN)

    def observe(self, status: int, seconds: float) -> None:
        """Count one answer and the time that it took."""
        with self._lock:
            self._counts = self._counts.plus(status, seconds)

    def _start_thread(self, work: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=work, name="observer", daemon=True)
        thread.start()
        return thread

    def _send_until_stopped(self) -> None:
        while not self._stopping.wait(_INTERVAL):
            self._send()

    def _send(self) -> None:
        with self._lock:
            counts = self._counts
        if counts == self._reported:
            return
        settings, clock = self._platform.settings, self._platform.clock
        event = new_event(
            PREDICTOR_OBSERVED,
            source=settings.source,
            time=clock.now(),
            subject=self._model,
            data=self._data(self._report(counts)),
        )
        try:
            self._platform.events.publish(event)
        except KnollError as error:
            if not self._is_warned:
                _log.warning("a report was lost; a later one will have its counts: %s", error)
            self._is_warned = True
        else:
            self._reported, self._is_warned = counts, False

    def _report(self, counts: Counts) -> Report:
        return Report(
            self._model,
            self._version,
            self._replica,
            counts.requests,
            counts.errors,
            revision=self._platform.settings.revision,
            cold_starts=counts.cold_starts,
            refused=counts.refused,
            latency={"bucketsSeconds": list(BUCKETS), "counts": list(counts.latency)},
        )

    def _data(self, report: Report) -> dict[str, Any]:
        key = self._platform.settings.revision_key
        return {
            "model": report.model,
            "version": report.version,
            "revision": report.revision,
            "instance": report.instance,
            "requests": report.requests,
            "errors": report.errors,
            "refused": report.refused,
            "coldStarts": report.cold_starts,
            "latency": report.latency,
            **({"proof": prove(key, REPORT_PURPOSE, report.claim())} if key else {}),
        }
