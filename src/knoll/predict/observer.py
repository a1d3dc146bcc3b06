"""What a predictor reports about itself: counts since the start of its process, so that lost and doubled
reports do no harm, each proved with the key of its Revision, if that has one."""

import logging
import threading
import uuid
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from typing import Any

from knoll.errors import KnollError
from knoll.events import PREDICTOR_OBSERVED, new_event
from knoll.ports import Platform
from knoll.predict.bins import Bins
from knoll.predict.counts import BUCKETS, Ended, PredictorCounts
from knoll.predict.facets import FacetBins
from knoll.predict.reporting import reporting
from knoll.predict.sessions import Sessions
from knoll.proofs import REPORT_PURPOSE, prove
from knoll.records.evidence import Report

__all__ = ["Observer"]

_log = logging.getLogger(__name__)


class Observer:
    """Counts requests, and reports them in the background at most once a second, if they have changed."""

    def __init__(
        self, model: str, version: str, platform: Platform, bins: Bins, facets: FacetBins | None = None
    ) -> None:
        self._model, self._version, self._replica = model, version, str(uuid.uuid4())
        self._platform = platform
        self._lock = threading.Lock()
        self._counts = self._reported = PredictorCounts.of(bins, facets)
        self._sessions = Sessions()
        self._is_warned = False

    def reporting(self) -> AbstractContextManager[None]:
        """Report meanwhile, and for the last time at the end, if there is a sink."""
        has_sink = bool(self._platform.settings.sink)
        return reporting(self.send, "observer") if has_sink else nullcontext()

    @property
    def counts(self) -> PredictorCounts:
        """What is counted by now."""
        with self._lock:
            return self._counts

    @property
    def labels(self) -> dict[str, str]:
        """Of whom it counts."""
        names = ("model", "version", "revision", "replica")
        values = (self._model, self._version, self._platform.settings.revision, self._replica)
        return dict(zip(names, values, strict=True))

    def observe(self, one: Ended) -> None:
        """Count one request."""
        now = self._platform.clock.now().timestamp()
        with self._lock:
            self._counts = self._counts.plus(one, self._sessions.note(one, now))

    def send(self) -> None:
        """Publish a report if there is news. A report that is lost is made good by the next one."""
        counts = self.counts
        if counts == self._reported:
            return
        settings, clock = self._platform.settings, self._platform.clock
        event = new_event(
            PREDICTOR_OBSERVED,
            source=settings.source,
            time=clock.now(),
            subject=self._model,
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

    def _report(self, counts: PredictorCounts) -> Report:
        return Report(
            self._model,
            self._version,
            self._replica,
            counts.all.requests,
            counts.all.errors,
            revision=self._platform.settings.revision,
            cold_starts=min(counts.all.requests, 1),
            refused=counts.all.refused,
            latency={"bucketsSeconds": list(BUCKETS), "counts": list(counts.all.latency)},
            timeouts=counts.all.timeouts,
            cold=counts.cold,
            outputs=counts.outputs,
            judged=counts.judged if counts.sessions else None,
            sessions=counts.sessions,
            failed_sessions=counts.failed_sessions,
            facets=counts.facets if counts.facets.names else None,
            late=counts.late,
            failed_late=counts.failed_late,
        )

    def _data(self, counts: PredictorCounts) -> dict[str, Any]:
        report, key = self._report(counts), self._platform.settings.revision_key
        return {
            "model": report.model,
            "version": report.version,
            "revision": report.revision,
            "instance": report.replica,
            "requests": report.requests,
            "errors": report.errors,
            "refused": report.refused,
            "coldStarts": report.cold_starts,
            "latency": report.latency,
            "timeouts": report.timeouts,
            "cold": asdict(counts.cold),
            "outputs": {
                "bins": counts.outputs.bins,
                "counts": counts.outputs.counts,
                "notFinite": counts.outputs.not_finite,
                "constant": counts.outputs.constant,
            },
            **(_of_sessions(counts) if counts.sessions else {}),
            **({"facets": asdict(report.facets)} if report.facets else {}),
            **({"proof": prove(key, REPORT_PURPOSE, report.covered())} if key else {}),
        }


def _of_sessions(counts: PredictorCounts) -> dict[str, Any]:
    return {
        "judged": asdict(counts.judged),
        "sessions": counts.sessions,
        "failedSessions": counts.failed_sessions,
        "late": counts.late,
        "failedLate": counts.failed_late,
    }
