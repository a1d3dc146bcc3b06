"""Reports from the counts that Prometheus has scraped, for installations where it gets more of them than the
broker. Nothing proves these counts: whoever sets KNOLL_PROMETHEUS trusts that Prometheus.

Counts only rise, so the last scrape of a replica counts, even after its end. Its answers between that scrape
and its end are missing. A scrape becomes the data of a report, and is kept as one. Only what has the label of
the Model's namespace counts, which Prometheus adds to what it scrapes: a predictor does not know where it is.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from knoll.errors import InvalidEvent, Unavailable
from knoll.events import PREDICTOR_OBSERVED, new_event
from knoll.ports import Document, MetricSample, Platform
from knoll.records.evidence import Report, write_report
from knoll.rollout.disbelieved import disbelieve
from knoll.rollout.reports import read_report, why_unlikely
from knoll.rollout.slot import Slot

__all__ = ["keep_scraped", "query_of", "report_data"]

_LOG = logging.getLogger(__name__)
_ENDED = {"errors": "error", "timeouts": "timeout", "refused": "refused"}


def keep_scraped(document: Document, slot: Slot, until: datetime, platform: Platform) -> None:
    """Keep what was scraped of the candidate and of the champion in the last two weeks, if there is a
    Prometheus to ask. If it does not answer, the rollout goes on by what it has. It is not asked after
    `until`."""
    if platform.monitoring is None or slot.phase not in ("Canary", "Baking"):
        return
    for version in filter(None, (slot.candidate, slot.champion)):
        if platform.clock.now() >= until:
            return
        try:
            found = _scraped(document["metadata"], version, platform)
        except (Unavailable, InvalidEvent) as error:
            _LOG.warning("what was scraped of %s is left out: %s", version, error)
            continue
        for report in found:
            if why := why_unlikely(report, document, None, platform):
                disbelieve(document, f"of {version}, as scraped: {why}", platform)
            else:
                write_report(report, platform.bucket)


def query_of(namespace: str, model: str, version: str) -> str:
    """What asks Prometheus for the last counts of each replica of a version."""
    labels = f'namespace="{namespace}",model="{model}",version="{version}"'
    return f'last_over_time({{__name__=~"knoll_.+",{labels}}}[14d])'


def report_data(samples: Iterable[MetricSample]) -> Sequence[Mapping[str, Any]]:
    """The data of a report for each replica in the samples. Raises KeyError, ValueError or OverflowError if
    they are not what a predictor shows."""
    replicas: dict[str, list[MetricSample]] = defaultdict(list)
    for one in samples:
        replicas[one.labels["replica"]].append(one)
    return [_data(replica, found) for replica, found in replicas.items()]


def _scraped(metadata: Mapping[str, Any], version: str, platform: Platform) -> Sequence[Report]:
    if platform.monitoring is None:
        return []
    model = metadata["name"]
    samples = platform.monitoring.query(query_of(metadata["namespace"], model, version))
    try:
        data = report_data(samples)
    except (KeyError, ValueError, OverflowError) as error:
        raise InvalidEvent("Prometheus has what no predictor of knoll shows") from error
    now, source = platform.clock.now(), platform.settings.source
    events = (new_event(PREDICTOR_OBSERVED, source=source, time=now, data={**one}) for one in data)
    return [read_report(model, event) for event in events]


def _data(replica: str, samples: Sequence[MetricSample]) -> Mapping[str, Any]:
    whole, labels = _answered("all", samples), samples[0].labels
    latency = whole.pop("latency")
    sessions = _number("knoll_sessions_total", samples)
    of_sessions = {
        "judged": _answered("judged", samples),
        "sessions": sessions,
        "failedSessions": _number("knoll_sessions_failed_total", samples),
        "late": _number("knoll_late_outcomes_total", samples, 0),  # 0 of older predictors
        "failedLate": _number("knoll_late_outcomes_failed_total", samples, 0),
    }
    return {
        **whole,
        "version": labels["version"],
        "revision": labels.get("revision", ""),  # a label that is empty is none
        "instance": replica,
        "coldStarts": min(whole["requests"], 1),
        "latency": {"bucketsSeconds": _edges(samples), "counts": latency},
        "cold": _answered("cold", samples),
        "outputs": _outputs(samples),
        **(of_sessions if sessions else {}),
    }


def _answered(part: str, samples: Sequence[MetricSample]) -> dict[str, Any]:
    mine = [one for one in samples if one.labels.get("part") == part]
    by_end = {one.labels["ended"]: int(one.value) for one in mine if "ended" in one.labels}
    rising = [0, *(number for _, number in _buckets(mine))]
    ends = {name: by_end[end] for name, end in _ENDED.items()}
    return {
        "requests": sum(by_end.values()),
        **ends,
        "latency": [after - before for before, after in pairwise(rising)],
    }


def _edges(samples: Sequence[MetricSample]) -> list[float]:
    found = _buckets([one for one in samples if one.labels.get("part") == "all"])
    return [edge for edge, _ in found][:-1]


def _buckets(samples: Iterable[MetricSample]) -> list[tuple[float, int]]:
    """The ends of buckets, rising, and how many requests took no longer."""
    return sorted((float(one.labels["le"]), int(one.value)) for one in samples if "le" in one.labels)


def _outputs(samples: Sequence[MetricSample]) -> dict[str, Any]:
    answers = {int(one.labels["bin"]): one for one in samples if "bin" in one.labels}
    return {
        "bins": next((one.labels["bins"] for one in answers.values()), ""),
        "counts": [int(answers[number].value) for number in range(len(answers))],
        "notFinite": _number("knoll_answers_not_finite_total", samples),
        "constant": _number("knoll_answers_constant_total", samples),
    }


def _number(name: str, samples: Sequence[MetricSample], *otherwise: int) -> int:
    return next((int(one.value) for one in samples if one.labels["__name__"] == name), *otherwise)
