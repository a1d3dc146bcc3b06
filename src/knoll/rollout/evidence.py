"""Evidence: what the reports of predictors say about the candidate. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from knoll.records.evidence import Report
from knoll.rollout.slot import Counts, Evidence, Pair

__all__ = ["count", "total"]


def count(evidence: Evidence, reports: Mapping[str, Report]) -> Evidence:
    """The evidence with its totals: what is reported of each replica, and what knoll sent itself."""
    requests, errors = total(reports, evidence.replicas)
    counted = max(requests - evidence.earlier[0], 0) + evidence.replayed[0]
    failed = max(errors - evidence.earlier[1], 0) + evidence.replayed[1]
    counts = Counts(counted, failed, evidence.replayed[0], counted - evidence.before)
    return replace(evidence, counts=counts)


def total(reports: Mapping[str, Report], known: Mapping[str, Pair] | None = None) -> Pair:
    """Requests and errors of all replicas. For a replica that is also in `known` the larger numbers
    count: counts only rise."""
    counts = dict(known or {})
    for name, report in reports.items():
        before = counts.get(name, (0, 0))
        counts[name] = (max(before[0], report.requests), max(before[1], report.errors))
    return sum(requests for requests, _ in counts.values()), sum(errors for _, errors in counts.values())
