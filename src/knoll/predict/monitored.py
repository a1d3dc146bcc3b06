"""The counts of a predictor as Prometheus scrapes them, at /metrics: the same ones that it reports, how long
requests took in the words of KServe, and how long the start took.

All are of one moment, so that a scrape can stand for a report. The labels name what a report names; `replica`
is its instance, because Prometheus calls the address that it scrapes `instance`.
"""

from collections.abc import Iterator, Mapping
from itertools import accumulate

from prometheus_client import REGISTRY, CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from knoll.predict.counts import BUCKETS, PredictorCounts
from knoll.predict.durations import ENDS, Durations
from knoll.predict.inference_log import InferenceLog
from knoll.predict.observer import Observer
from knoll.predict.served import Served
from knoll.predict.start_times import StartTimes
from knoll.records.answered import Answered
from knoll.shared_runs import SharedRuns

__all__ = ["Monitored", "exposition"]

_ENDS = (*(repr(edge) for edge in BUCKETS), "+Inf")
_SHARERS = (1, 2, 4, 8, 16)  # upper ends
_KSERVE_ENDS = (*map(repr, ENDS), "+Inf")


def exposition(
    observer: Observer, durations: Durations, times: StartTimes, served: Served | None = None
) -> bytes:
    """All metrics in the text format of Prometheus, those of the process included."""
    own = CollectorRegistry()
    own.register(Monitored(observer, durations, times, served))
    return generate_latest(REGISTRY) + generate_latest(own)


class Monitored(Collector):
    """What is scraped of a predictor."""

    def __init__(
        self, observer: Observer, durations: Durations, times: StartTimes, served: Served | None = None
    ) -> None:
        self._observer, self._durations, self._times, self._served = observer, durations, times, served

    def collect(self) -> Iterator[Metric]:
        """All metrics, of one moment."""
        counts, labels = self._observer.counts, self._observer.labels
        yield _predict_seconds(self._durations, labels)
        yield _start_seconds(self._times, labels)
        yield _requests(counts, labels)
        yield _seconds(counts, labels)
        yield _answers(counts, labels)
        if self._served and self._served.log and self._served.log.share:
            yield _logged(self._served.log, labels)
        if self._served and self._served.graph.shared:
            yield _shared(self._served.graph.shared, labels)
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


def _predict_seconds(durations: Durations, labels: Mapping[str, str]) -> Metric:
    """KServe's own label comes first, and the others tell more."""
    named = {
        "model_name": labels["model"],
        "model_version": labels["version"],
        "revision": labels["revision"],
    }
    family = HistogramMetricFamily(
        "request_predict_seconds", "predict request latency", labels=[*named, "cold", "ended"]
    )
    for is_cold, how, counts, total in durations:
        buckets = [*zip(_KSERVE_ENDS, accumulate(counts), strict=True)]
        family.add_metric([*named.values(), str(is_cold).lower(), how], buckets, sum_value=total)
    return family


def _start_seconds(times: StartTimes, labels: Mapping[str, str]) -> Metric:
    family = GaugeMetricFamily(
        "knoll_start_seconds", "seconds that each part of the start took", labels=[*labels, "part"]
    )
    for part, seconds in times.parts.items():
        family.add_metric([*labels.values(), part], seconds)
    return family


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


def _logged(log: InferenceLog, labels: Mapping[str, str]) -> Metric:
    family = CounterMetricFamily(
        "knoll_logged_requests",
        "requests for the inference log, by what became of them",
        labels=[*labels, "ended"],
    )
    for ended, number in log.counts.items():
        family.add_metric([*labels.values(), ended], number)
    return family


def _shared(shared: SharedRuns, labels: Mapping[str, str]) -> Metric:
    family = HistogramMetricFamily(
        "knoll_run_requests", "requests that shared a run of the graph", labels=[*labels]
    )
    sizes = dict(shared.sizes)
    buckets = [(f"{end}.0", sum(runs for size, runs in sizes.items() if size <= end)) for end in _SHARERS]
    total = sum(size * runs for size, runs in sizes.items())
    family.add_metric([*labels.values()], [*buckets, ("+Inf", sum(sizes.values()))], sum_value=total)
    return family
