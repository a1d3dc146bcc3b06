"""The log of an attempt of a run: the end of what its trainer has said, as text. It outlives the Pod.

logs/<run>/20260101T000000000000Z.log    named after the start of the attempt
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from knoll.errors import NotFound
from knoll.media_types import TEXT
from knoll.names import MOMENT, RUN_ID, join
from knoll.ports import Bucket, ObjectInfo

__all__ = [
    "LOG_NAME",
    "LONGEST",
    "MOST_ATTEMPTS",
    "RunLog",
    "find_run_logs",
    "list_run_logs",
    "logs_uri",
    "remove_run_logs",
    "run_log_uri",
    "write_run_log",
]

LONGEST = 30 * 24 * 3600  # seconds after the end of its run
MOST_ATTEMPTS = 10  # of a run, the newest
LOG_NAME = r"(?P<begun>\d{8}T\d{12}Z)"  # without its ending
_NAME = re.compile(rf"{LOG_NAME}\.log", re.ASCII)


@dataclass(frozen=True)
class RunLog:
    """A log: where it lies, when its attempt began, and its text."""

    uri: str
    begun: datetime
    text: str


def logs_uri(root: str, run: str = "") -> str:
    """The folder of the logs of a run, or of all."""
    return join(root, "logs", *([run] if run else []), "")


def run_log_uri(root: str, run: str, begun: datetime) -> str:
    """URI of the log of the attempt that began then."""
    return join(root, "logs", run, f"{begun.astimezone(UTC):{MOMENT}}.log")


def list_run_logs(bucket: Bucket) -> dict[str, list[ObjectInfo]]:
    """The logs of all runs, by the ids of these."""
    place, found = logs_uri(bucket.root), dict[str, list[ObjectInfo]]()
    for one in bucket.store.list(place):
        run, _, name = one.uri.removeprefix(place).partition("/")
        if RUN_ID.fullmatch(run) and _NAME.fullmatch(name):
            found.setdefault(run, []).append(one)
    return found


def _logs_of(run: str, bucket: Bucket) -> list[str]:
    """The URIs of the logs of a run, the oldest attempt first."""
    place = logs_uri(bucket.root, run)
    found = (one.uri for one in bucket.store.list(place))
    return sorted(uri for uri in found if _NAME.fullmatch(uri.removeprefix(place)))


def find_run_logs(run: str, bucket: Bucket) -> Sequence[RunLog]:
    """The logs of a run, the oldest attempt first."""
    found = []
    for uri in _logs_of(run, bucket):
        with suppress(NotFound, ValueError):  # it was removed meanwhile, or its name is no time
            begun = datetime.strptime(uri.rpartition("/")[2], f"{MOMENT}.log").replace(tzinfo=UTC)
            found.append(RunLog(uri, begun, bucket.store.get(uri).decode(errors="replace")))
    return found


def write_run_log(run: str, begun: datetime, text: str, bucket: Bucket) -> None:
    """Write the log of an attempt over its older state, and remove those of attempts long before. Raises
    StoreUnavailable."""
    bucket.store.put(run_log_uri(bucket.root, run, begun), text.encode(), content_type=TEXT)
    for uri in _logs_of(run, bucket)[:-MOST_ATTEMPTS]:
        bucket.store.delete(uri)


def remove_run_logs(run: str, bucket: Bucket) -> None:
    """Remove the logs of a run."""
    for uri in _logs_of(run, bucket):
        bucket.store.delete(uri)
