"""What a predictor reports of itself: read from its event, and kept in the model bucket if it is believed."""

from collections.abc import Mapping
from typing import Any

from knoll.events import Event, WrongField, reading
from knoll.headers import ASKED
from knoll.ports import Document, Platform
from knoll.proofs import REPORT_PURPOSE, is_proven
from knoll.records.answered import Answered
from knoll.records.evidence import REPLICA, Report, find_report, has_replicas, write_report
from knoll.records.facets import Facets
from knoll.records.outputs import Outputs
from knoll.rollout.disbelieved import disbelieve, read_or_disbelieve
from knoll.rollout.plausible import most_replicas, why_impossible
from knoll.rollout.revision_keys import key_of_revision
from knoll.rollout.slot import Slot, slot_from_status

__all__ = ["keep_report", "read_report", "why_unlikely"]

_MOST = 2**53  # requests, and any other number
_MOST_BUCKETS = 64
_LONGEST_NAME = 253


def read_report(model: str, event: Event) -> Report:
    """Read the report in the event. Raises InvalidEvent if a count or the name of the replica is not one, or
    if a part is none of its whole. A revision or latency that is not well formed is left out."""
    with reading(f"the report in event {event.id}"):
        data = event.data
        replica, requests, errors = data["instance"], data["requests"], data["errors"]
        is_apart = "cold" in data  # else nothing proves the time-outs
        refused, timeouts = data.get("refused"), data["timeouts"] if is_apart else 0
        if not (isinstance(replica, str) and REPLICA.fullmatch(replica)):
            raise WrongField("instance is no name of a process")
        if not _are_counts(requests, errors, timeouts, 0 if refused is None else refused):
            raise WrongField("requests, errors, timeouts and refused are no counts")
        revision = data.get("revision")
        report = Report(
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
            timeouts=timeouts,
            cold=_read_answered(data["cold"]) if is_apart else None,
            outputs=_read_outputs(data["outputs"]) if is_apart and "outputs" in data else None,
            **(_read_sessions(data) if is_apart and "judged" in data else {}),
            facets=_read_facets(data["facets"], requests) if is_apart and "facets" in data else None,
        )
        if not _are_parts(report):
            raise WrongField("its cold and its judged requests are no parts of all requests")
        if report.outputs and not _are_possible(report.outputs, report):
            raise WrongField("it has more answers than requests")
        return report


def keep_report(model: str, event: Event, platform: Platform) -> bool:
    """Keep the report of a predictor; whether the rollout may go on by it.

    Reports of the candidate, the champion and the previous champion are kept, because a predictor still sends
    its last one after a promotion. A report of another version is dropped, and one that is not believed is
    counted as such. Raises NotFound if there is no such Model, and InvalidEvent if the platform has no key
    and the event is no report.
    """
    document = platform.cluster.get("Model", model)
    if platform.settings.stamp_key:
        report = read_or_disbelieve(read_report, event, document, platform)
    else:
        report = read_report(model, event)
    if report is None:
        return False
    slot = slot_from_status(document.get("status") or {})
    if not report.version or report.version not in (slot.candidate, slot.champion, slot.previous):
        return False
    if why := _why_disbelieved(report, event, document, slot, platform):
        disbelieve(document, f"of {report.version}: {why}", platform)
        return False
    write_report(report, platform.bucket)
    return report.version == slot.candidate and slot.phase in ("Canary", "Baking")


def _are_counts(requests: Any, *parts: Any) -> bool:
    """Whether these are counts, and the parts no more than all requests."""
    are_whole = all(type(one) is int and one >= 0 for one in (requests, *parts))
    return are_whole and sum(parts) <= requests <= _MOST


def _read_answered(found: Mapping[str, Any]) -> Answered:
    read = Answered(
        found["requests"], found["errors"], found["timeouts"], found["refused"], tuple(found["latency"])
    )
    if any(type(one) is not int for one in read.numbers):
        raise WrongField("its parts are no counts")
    return read


def _read_sessions(data: Mapping[str, Any]) -> dict[str, Any]:
    sessions, failed, judged = data["sessions"], data["failedSessions"], _read_answered(data["judged"])
    late, failed_late = data.get("late", 0), data.get("failedLate", 0)  # older predictors count none
    if not (_are_counts(sessions, failed) and sessions <= data["requests"]):
        raise WrongField("its sessions are no counts")
    if not (_are_counts(late, failed_late) and _are_counts(data["requests"], late, judged.requests)):
        raise WrongField("its late outcomes are no counts")
    counts = {"sessions": sessions, "failed_sessions": failed, "late": late, "failed_late": failed_late}
    return {"judged": judged, **counts}


def _read_outputs(found: Mapping[str, Any]) -> Outputs:
    read = Outputs(found["bins"], tuple(found["counts"]), found["notFinite"], found["constant"])
    are_counts = all(type(one) is int and one >= 0 for one in read.numbers)
    if not (are_counts and isinstance(read.bins, str) and len(read.bins) <= _LONGEST_NAME):
        raise WrongField("its answers are no counts")
    if len(read.counts) > _MOST_BUCKETS:
        raise WrongField("its answers have too many bins")
    return read


def _read_facets(found: Mapping[str, Any], requests: int) -> Facets:
    names = tuple(found["names"])
    expected, counts = (tuple(tuple(row) for row in found[key]) for key in ("expected", "counts"))
    read = Facets(names, expected, counts)
    are_named = all(isinstance(one, str) and len(one) <= _LONGEST_NAME for one in names)
    are_whole = all(type(one) is int and one <= _MOST for row in (*expected, *counts) for one in row)
    if not (are_named and are_whole and read.are_possible and read.requests <= requests):
        raise WrongField("its facets are no counts of its requests")
    return read


def _are_possible(outputs: Outputs, report: Report) -> bool:
    """Only warm requests are in bins, and only failed or refused ones had a number that was not finite."""
    warm = report.requests - (report.cold.requests if report.cold else 0)
    is_finite = outputs.not_finite <= report.errors + (report.refused or 0)
    return sum(outputs.counts) <= warm and outputs.constant <= report.requests and is_finite


def _are_parts(report: Report) -> bool:
    """Whether what is counted apart is part of the whole: no request is both cold and judged."""
    rest = report.whole
    for part in filter(None, (report.cold, report.judged)):
        rest = rest.less(part)
        if len(part.latency) != len(rest.latency) or not (part.is_possible and rest.is_possible):
            return False
    return True


def _why_disbelieved(report: Report, event: Event, document: Document, slot: Slot, platform: Platform) -> str:
    """Why the report is not believed; "" if it is."""
    key = key_of_revision(document, slot, report.version, platform.settings)
    proof = event.data.get("proof")
    if key and not isinstance(proof, str):
        return "it has no proof: it is forged, or from an old predictor that has no key"
    if key and not is_proven(proof, key, REPORT_PURPOSE, report.covered()):
        return "its proof was not made with the key of its Revision"
    return why_unlikely(report, document, _asked(event), platform)


def why_unlikely(report: Report, document: Document, asked: int | None, platform: Platform) -> str:
    """Why the counts of a report about a Model cannot be; "" if they can. `asked` as in `why_impossible`."""
    bucket = platform.bucket
    before = find_report(report.model, report.version, report.replica, bucket)
    created = str(document["metadata"].get("creationTimestamp") or "")
    most = most_replicas(created, platform.clock.now())
    if before is None and has_replicas(report.model, report.version, most, bucket):
        return f"{most:,} other replicas have reported on it already"
    since = before.reported_at if before else created
    return why_impossible(report, before, since, asked)


def _asked(event: Event) -> int | None:
    found = event.extensions.get(ASKED, "")
    return int(found) if found.isdecimal() and len(found) < 16 else None


def _histogram(found: Any) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        return {}
    buckets, counts = found.get("bucketsSeconds"), found.get("counts")
    if not (isinstance(buckets, list) and isinstance(counts, list)):
        return {}
    if len(buckets) > _MOST_BUCKETS or len(counts) != len(buckets) + 1:
        return {}
    are_numbers = all(type(one) in (int, float) and 0 <= one <= _MOST for one in [*buckets, *counts])
    return {"bucketsSeconds": buckets, "counts": counts} if are_numbers else {}
