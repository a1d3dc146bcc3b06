"""Evidence: what the replicas of predictors have counted, one record for each version and replica.

A replica counts from its start, and its counts only rise. Each report is an object of its own, named after
the requests that it counts. It replaces the reports of its replica that count fewer. So a report that comes
twice, late or beside another one does no harm. With keys for stamps, a report that no function has stamped is
a stray.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from pydantic import with_config

from knoll.errors import NewerSchema, Rejected
from knoll.names import join
from knoll.ports import Bucket
from knoll.records.record import LENIENT, Fields, overwrite, put_once
from knoll.records.stamp import Stamped, find_stamped, stamped, stamped_reader

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

REPLICA = re.compile(r"[-.\w]{1,63}", re.ASCII)  # a UUID, or the name of a Pod
_MOST_LOOKS = 5  # at reports that are replaced while they are read
_NAME = re.compile(rf"(?P<replica>{REPLICA.pattern})\.(?P<requests>\d{{16}})\.json", re.ASCII)


@with_config(LENIENT)
@dataclass(frozen=True)
class Report(Stamped):
    """What a replica of a predictor has counted since it started: all requests except replays, those that
    failed with a 5xx, those that it refused with a 4xx (None of knoll 0.2, which did not count them), and its
    latency histogram (see `knoll.predict.observer`). `instance` is the name of the replica."""

    model: str
    version: str
    instance: str
    requests: int
    errors: int
    revision: str = ""
    cold_starts: int = 0
    refused: int | None = None
    latency: Fields = field(default_factory=dict)
    reported_at: str = ""

    def claim(self) -> bytes:
        """What the proof of a report stands for: all that is counted, and where."""
        said = (self.model, self.version, self.revision, self.instance)
        counts = (self.requests, self.errors, self.refused, self.cold_starts)
        # a broker may write 1.0 as 1
        buckets = [float(one) for one in self.latency.get("bucketsSeconds", ())]
        return json.dumps([*said, *counts, buckets, *self.latency.get("counts", ())]).encode()


load_report = stamped_reader(Report, "report of a predictor")


def evidence_uri(root: str, model: str, version: str) -> str:
    """Where the reports on a version are."""
    return join(root, "evidence", model, version, "")


def report_uri(root: str, report: Report) -> str:
    """Where a report is."""
    name = f"{report.instance}.{report.requests:016d}.json"
    return evidence_uri(root, report.model, report.version) + name


def write_report(report: Report, bucket: Bucket) -> bool:
    """Keep the report, and remove those that it replaces, and strays. False if a report that counts as many
    requests or more is there, also one that only a newer knoll understands."""
    uri = report_uri(bucket.root, report)
    mine = [
        (counted, uri)
        for replica, counted, uri in _listed(report.model, report.version, bucket, f"{report.instance}.")
        if replica == report.instance
    ]
    if any(counted >= report.requests and _is_believed(there, bucket) for counted, there in mine):
        return False
    if not put_once(uri, kept := stamped(report, bucket), bucket):
        overwrite(uri, kept, bucket)
    for _, there in mine:
        if there != uri:
            bucket.store.delete(there)
    return True


def find_report(model: str, version: str, replica: str, bucket: Bucket) -> Report | None:
    """The newest report of one replica; None if it has none."""
    found: dict[str, Report] = {}
    uris = _newest_first(model, version, bucket, f"{replica}.").get(replica, [])
    _find_newest(replica, uris, found, bucket)
    return found.get(replica)


def has_replicas(model: str, version: str, number: int, bucket: Bucket) -> bool:
    """Whether that many replicas have reported on a version. All are read only if there may be so many."""
    named = {replica for replica, _, _ in _listed(model, version, bucket)}
    return len(named) >= number and len(find_reports(model, version, bucket)) >= number


def find_reports(model: str, version: str, bucket: Bucket) -> Mapping[str, Report]:
    """The newest report of each replica of a version, by replica. An object that is no report is passed
    over."""
    found: dict[str, Report] = {}
    for _ in range(_MOST_LOOKS):
        missing = False
        for replica, uris in _newest_first(model, version, bucket).items():
            missing |= not _find_newest(replica, uris, found, bucket)
        if not missing:
            break
    return found


def remove_reports(model: str, version: str, bucket: Bucket) -> None:
    """Remove all reports on a version."""
    for one in bucket.store.list(evidence_uri(bucket.root, model, version)):
        bucket.store.delete(one.uri)


def _find_newest(replica: str, uris: Iterable[str], found: dict[str, Report], bucket: Bucket) -> bool:
    """Put the newest report of a replica into `found`, if it has one. False if one is gone: then a newer
    one has just replaced it."""
    for uri in uris:
        with suppress(Rejected):
            report = find_stamped(uri, load_report, Report, bucket)
            if report is None:
                return False
            if report_uri(bucket.root, report) == uri:
                found[replica] = report
                break
    return True


def _is_believed(uri: str, bucket: Bucket) -> bool:
    """Whether what lies there counts. Without keys for stamps its name alone says so. What a newer knoll has
    stamped is left to it, so it counts, too."""
    if not bucket.stamp_verify_key:
        return True
    try:
        report = find_stamped(uri, load_report, Report, bucket)
    except NewerSchema:
        return True
    except Rejected:
        return False
    return report is not None and report_uri(bucket.root, report) == uri


def _newest_first(model: str, version: str, bucket: Bucket, prefix: str = "") -> Mapping[str, list[str]]:
    """URIs of the reports of each replica whose name begins so; usually it has one."""
    listed = sorted(_listed(model, version, bucket, prefix), key=lambda one: one[1], reverse=True)
    found: dict[str, list[str]] = {}
    for replica, _, uri in listed:
        found.setdefault(replica, []).append(uri)
    return found


def _listed(model: str, version: str, bucket: Bucket, prefix: str = "") -> Iterator[tuple[str, int, str]]:
    """Replica, requests and URI of each report on a version whose name begins so."""
    for one in bucket.store.list(evidence_uri(bucket.root, model, version) + prefix):
        if match := _NAME.fullmatch(one.uri.rpartition("/")[2]):
            yield match["replica"], int(match["requests"]), one.uri
