"""Evidence: what the replicas of predictors have counted, one record for each version and replica.

A record is named after the requests that it counts, see `knoll.records.rising`.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import with_config

from knoll.ports import Bucket
from knoll.records.answered import Answered
from knoll.records.facets import Facets
from knoll.records.outputs import Outputs
from knoll.records.record import LENIENT, Fields
from knoll.records.rising import REPLICA, Counted, Rising
from knoll.records.stamp import stamped_reader

__all__ = [
    "REPLICA",
    "Report",
    "evidence_uri",
    "find_report",
    "find_reports",
    "has_replicas",
    "load_report",
    "remove_reports",
    "report_uri",
    "write_report",
]


@with_config(LENIENT)
@dataclass(frozen=True)
class Report(Counted):
    """What a replica of a predictor has counted since it started: all requests except replays, those that
    failed with a 5xx, those that it refused with a 4xx (None of knoll 0.2, which did not count them), and its
    latency histogram (see `knoll.predict.counts`). `timeouts` are requests whose client waited in vain.
    `cold` is the part that came before the first answer; None of predictors that did not count it. `outputs`
    is what was answered; None of predictors that did not count that. `judged` are the warm requests that are
    independent: those without a session, and the first one of each session; None without sessions.
    `failed_sessions` had a request that failed. `facets` are those of the judged requests; None of predictors
    that count none. `late` are the late outcomes of sessions, and `failed_late` those of them that failed; 0
    of predictors that count none."""

    requests: int
    errors: int
    revision: str = ""
    cold_starts: int = 0
    refused: int | None = None
    latency: Fields = field(default_factory=dict)
    reported_at: str = ""
    timeouts: int = 0
    cold: Answered | None = None
    outputs: Outputs | None = None
    judged: Answered | None = None
    sessions: int = 0
    failed_sessions: int = 0
    facets: Facets | None = None
    late: int = 0
    failed_late: int = 0

    def covered(self) -> bytes:
        """What the proof of a report stands for: all that is counted, and where."""
        said = (self.model, self.version, self.revision, self.replica)
        counts = (self.requests, self.errors, self.refused, self.cold_starts)
        # a broker may write 1.0 as 1
        buckets = [float(one) for one in self.latency.get("bucketsSeconds", ())]
        claimed = [*said, *counts, buckets, *self.latency.get("counts", ()), *self._more_claims()]
        return json.dumps(claimed).encode()

    @property
    def whole(self) -> Answered:
        """How all requests ended."""
        latency = tuple(self.latency.get("counts", ()))
        return Answered(self.requests, self.errors, self.timeouts, self.refused or 0, latency)

    def _more_claims(self) -> list[Any]:
        """What predictors claim that count cold requests apart."""
        if self.cold is None:
            return []
        claims: dict[str, Any] = {"timeouts": self.timeouts, "cold": asdict(self.cold)}
        if self.outputs:
            claims["outputs"] = asdict(self.outputs)
        if self.judged:
            claims |= {"judged": asdict(self.judged), "sessions": [self.sessions, self.failed_sessions]}
        if self.facets:
            claims["facets"] = asdict(self.facets)
        if self.late:
            claims["late"] = [self.late, self.failed_late]
        return [claims]


load_report = stamped_reader(Report, "report of a predictor")
_REPORTS = Rising("evidence", Report, load_report, lambda report: report.requests)


def evidence_uri(root: str, model: str, version: str) -> str:
    """Where the reports on a version are."""
    return _REPORTS.place(root, model, version)


def report_uri(root: str, report: Report) -> str:
    """Where a report is."""
    return _REPORTS.uri(root, report)


def write_report(report: Report, bucket: Bucket) -> bool:
    """Keep the report, unless one is there that counts as many requests or more: see `Rising.write`."""
    return _REPORTS.write(report, bucket)


def find_report(model: str, version: str, replica: str, bucket: Bucket) -> Report | None:
    """The newest report of one replica; None if it has none."""
    return _REPORTS.find(model, version, replica, bucket)


def has_replicas(model: str, version: str, number: int, bucket: Bucket) -> bool:
    """Whether that many replicas have reported on a version. All are read only if there may be so many."""
    return _REPORTS.has_replicas(model, version, number, bucket)


def find_reports(model: str, version: str, bucket: Bucket) -> Mapping[str, Report]:
    """The newest report of each replica of a version, by replica. An object that is no report is passed
    over."""
    return _REPORTS.find_all(model, version, bucket)


def remove_reports(model: str, version: str, bucket: Bucket) -> None:
    """Remove all reports on a version."""
    _REPORTS.remove(model, version, bucket)
