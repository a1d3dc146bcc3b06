"""What a predictor reports of itself: read from its event, and kept in the model bucket."""

from collections.abc import Mapping
from typing import Any

from knoll.events import Event, reading
from knoll.ports import Platform
from knoll.records.evidence import REPLICA, Report, write_report
from knoll.rollout.slot import slot_from_status

__all__ = ["keep_report", "read_report"]

_MOST_REQUESTS = 2**53
_MOST_BUCKETS = 64
_LONGEST_NAME = 253


def read_report(model: str, event: Event) -> Report:
    """Read the report in the event. Raises InvalidEvent if a count or the name of the replica is not one. A
    revision or latency that is not well formed is left out."""
    with reading(f"the report in event {event.id}"):
        data = event.data
        replica, requests, errors = data["instance"], data["requests"], data["errors"]
        refused = data.get("refused")
        if not (isinstance(replica, str) and REPLICA.fullmatch(replica)):
            raise ValueError("instance is no name of a process")
        if not _are_counts(requests, errors, 0 if refused is None else refused):
            raise ValueError("requests, errors and refused are no counts")
        revision = data.get("revision")
        return Report(
            model,
            str(data["version"]),
            replica,
            requests,
            errors,
            revision=revision if isinstance(revision, str) and len(revision) <= _LONGEST_NAME else "",
            cold_starts=int(bool(data.get("coldStarts"))),
            refused=refused,
            latency=_histogram(data.get("latency")),
            reported_at=event.time,
        )


def keep_report(model: str, event: Event, platform: Platform) -> bool:
    """Keep the report of a predictor; whether the rollout may go on by it.

    Reports of the candidate, the champion and the previous champion are kept, because a predictor still sends
    its last one after a promotion. A report of another version is dropped. Raises NotFound if
    there is no such Model.
    """
    report = read_report(model, event)
    slot = slot_from_status(platform.cluster.get("Model", model).get("status") or {})
    if not report.version or report.version not in (slot.candidate, slot.champion, slot.previous):
        return False
    write_report(report, platform.bucket)
    return report.version == slot.candidate and slot.phase in ("Canary", "Baking")


def _are_counts(requests: Any, *parts: Any) -> bool:
    """Whether these are counts, and the parts no more than all requests."""
    are_whole = all(type(one) is int and one >= 0 for one in (requests, *parts))
    return are_whole and sum(parts) <= requests <= _MOST_REQUESTS


def _histogram(found: Any) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        return {}
    buckets, counts = found.get("bucketsSeconds"), found.get("counts")
    if not (isinstance(buckets, list) and isinstance(counts, list)):
        return {}
    if len(buckets) > _MOST_BUCKETS or len(counts) != len(buckets) + 1:
        return {}
    are_numbers = all(type(one) in (int, float) for one in [*buckets, *counts])
    return {"bucketsSeconds": buckets, "counts": counts} if are_numbers else {}
