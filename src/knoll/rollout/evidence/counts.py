"""Counts: what the reports of predictors say about the candidate. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from knoll.records.evidence import Report
from knoll.rollout.counted import CandidateCounts, Evidence, Pair, Total

__all__ = ["count", "total"]


def count(evidence: Evidence, reports: Mapping[str, Report]) -> Evidence:
    """The evidence with its totals: what is reported of each replica, and what knoll sent itself."""
    requests, errors, refused = _since(evidence.earlier, total(reports, evidence.replicas))
    counted = max(requests - refused, 0) + evidence.replayed[0]
    failed = errors + evidence.replayed[1]
    in_step, recorded = counted - evidence.before, evidence.recorded[0]
    counts = CandidateCounts(counted, failed, evidence.replayed[0], in_step, refused, recorded)
    return replace(evidence, counts=counts)


def total(reports: Mapping[str, Report], known: Mapping[str, Pair] | None = None) -> Total:
    """Requests, failed and refused requests of all replicas. For a replica that is also in `known` the larger
    numbers count: counts only rise."""
    counts: dict[str, Total] = {name: (*pair, 0) for name, pair in (known or {}).items()}
    for name, report in reports.items():
        requests, errors, _ = counts.get(name, (0, 0, 0))
        failed = max(errors, report.errors + report.timeouts)
        counts[name] = (max(requests, report.requests), failed, report.refused or 0)
    return _sum(0, counts), _sum(1, counts), _sum(2, counts)


def _sum(index: int, counts: Mapping[str, Total]) -> int:
    return sum(one[index] for one in counts.values())


def _since(before: Total, now: Total) -> Total:
    requests, errors, refused = (max(after - earlier, 0) for earlier, after in zip(before, now, strict=True))
    return requests, errors, refused
