"""The counts of a predictor as Prometheus scrapes them: the same ones that it reports, at /metrics.

All are of one moment, so that a scrape can stand for a report. The labels name what a report names; `replica`
is its instance, because Prometheus calls the address that it scrapes `instance`.
"""

from collections.abc import Iterator, Mapping
from itertools import accumulate

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from knoll.predict.counts import BUCKETS, PredictorCounts
from knoll.predict.observer import Observer
from knoll.records.answered import Answered

__all__ = ["Monitored"]

_ENDS = (*(repr(edge) for edge in BUCKETS), "+Inf")


class Monitored(Collector):
    """What is scraped of an observer."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def collect(self) -> Iterator[Metric]:
        """All metrics, of one moment."""
        counts, labels = self._observer.counts, self._observer.labels
        yield _requests(counts, labels)
        yield _seconds(counts, labels)
        yield _answers(counts, labels)
        for name, help_text, number in (
            ("knoll_answers_not_finite", "failed because a number was not finite", counts.outputs.not_finite),
            ("knoll_answers_constant", "the same as the one before", counts.outputs.constant),
            ("knoll_sessions", "sessions that began", counts.sessions),
            ("knoll_sessions_failed", "sessions with a request that failed", counts.failed_sessions),
            ("knoll_late_outcomes", "late outcomes of sessions", counts.late),
            ("knoll_late_outcomes_failed", "late outcomes of sessions that failed", counts.failed_late),
        ):
            family = CounterMetricFamily(name, help_text, labels=[*labels])
            family.add_metric([*labels.values()], number)
            yield family


def _parts(counts: PredictorCounts) -> Mapping[str, Answered]:
    return {"all": counts.all, "cold": counts.cold, "judged": counts.judged}


def _requests(counts: PredictorCounts, labels: Mapping[str, str]) -> Metric:
    family = CounterMetricFamily(
        "knoll_requests", "requests by how they ended", labels=[*labels, "part", "ended"]
    )
    for part, found in _parts(counts).items():
        parts = {"error": found.errors, "timeout": found.timeouts, "refused": found.refused}
        for ended, number in {"answered": found.requests - sum(parts.values()), **parts}.items():
            family.add_metric([*labels.values(), part, ended], number)
    return family


def _seconds(counts: PredictorCounts, labels: Mapping[str, str]) -> Metric:
    family = HistogramMetricFamily(
        "knoll_request_seconds", "seconds a request took", labels=[*labels, "part"]
    )
    for part, found in _parts(counts).items():
        buckets = [*zip(_ENDS, accumulate(found.latency), strict=True)]
        family.add_metric([*labels.values(), part], buckets, sum_value=None)
    return family


def _answers(counts: PredictorCounts, labels: Mapping[str, str]) -> Metric:
    family = CounterMetricFamily("knoll_answers", "judged answers by bin", labels=[*labels, "bins", "bin"])
    for number, count in enumerate(counts.outputs.counts):
        family.add_metric([*labels.values(), counts.outputs.bins, str(number)], count)
    return family
