"""The inbox: one entry for each run that is not settled. It is the whole run record, and is written first.

The entry is removed when its run needs nothing more. Its name has the time of the run's data, so that a
listing shows whose turn it is.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from knoll.errors import NewerSchema, Rejected
from knoll.names import MOMENT, RUN_ID, join
from knoll.ports import Bucket, ObjectInfo
from knoll.records.record import newer_at, put_once, read_some
from knoll.records.run import Run, load_run, run_uri
from knoll.records.stamp import find_known, known_reader

__all__ = [
    "ENTRY_NAME",
    "InboxEntry",
    "copy_entry_to_record",
    "find_entry",
    "inbox",
    "inbox_entry",
    "inbox_uri",
    "list_inbox",
    "remove_entry",
    "write_entry",
]

ENTRY_NAME = rf"(?P<run>{RUN_ID.pattern})\.(?P<moment>\d{{8}}T\d{{12}}Z)"  # without its ending
_ENTRY = re.compile(rf"{ENTRY_NAME}\.json", re.ASCII)


@dataclass(frozen=True)
class InboxEntry:
    """An entry as a listing shows it: its run, and the time of the run's data in UTC. The ISO texts sort as
    the times do."""

    run: str
    data_at: str
    info: ObjectInfo


def inbox(root: str) -> str:
    """The folder of all entries."""
    return join(root, "inbox", "")


def inbox_uri(root: str, run: str, data_at: str) -> str:
    """URI of the entry of a run; `data_at` is an ISO time in any zone. Raises Rejected for any other text."""
    try:
        at = datetime.fromisoformat(data_at).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Rejected(f"the time of the data of run {run} is {data_at!r}, which is no ISO time") from error
    return join(root, "inbox", f"{run}.{at:{MOMENT}}.json")


def inbox_entry(uri: str) -> tuple[str, str]:
    """ "…/inbox/digits-0123456789abcdef0123.20260101T000000000000Z.json" -> run id, and
    "2026-01-01T00:00:00+00:00".

    Raises Rejected if the URI is not that of an entry.
    """
    match = _ENTRY.fullmatch(uri.rpartition("/inbox/")[2])
    if not match:
        raise Rejected(f"{uri} is no entry of an inbox")
    try:
        at = datetime.strptime(match["moment"], MOMENT).replace(tzinfo=UTC)
    except ValueError as error:
        raise Rejected(f"{uri} is no entry of an inbox: {match['moment']} is no time") from error
    return match["run"], at.isoformat()


def list_inbox(bucket: Bucket, prefix: str = "") -> Iterator[InboxEntry]:
    """The entries of the runs whose ids start with `prefix`; other files are passed over."""
    for one in bucket.store.list(f"{inbox(bucket.root)}{prefix}"):
        with suppress(Rejected):
            run, data_at = inbox_entry(one.uri)
            yield InboxEntry(run, data_at, one)


def find_entry(uri: str, bucket: Bucket) -> Run | None:
    """The run in the entry at that URI; None if there is no entry."""
    return find_known(uri, load_run, Run, bucket)


def write_entry(run: Run, bucket: Bucket) -> None:
    """Write the entry of a run if there is none. Raises Rejected if the run has no time of the data."""
    put_once(inbox_uri(bucket.root, run.id, run.data_at), run, bucket)


def copy_entry_to_record(uri: str, bucket: Bucket) -> Run:
    """Write the run record if ingest was killed before it could. Raises NotFound if the entry is gone.

    The bytes are those of the entry, so that the fields of a newer knoll are kept. An entry that only a newer
    knoll understands counts if it is stamped: whoever wrote another one can have made up its name.
    """
    body = read_some(uri, bucket)
    try:
        run = known_reader(load_run, Run, bucket)(body)
    except NewerSchema as error:
        if bucket.stamp_verify_key:
            raise newer_at(uri, error) from error
        raise Rejected(f"{uri} has no record, and {error}", fix=error.fix) from error
    if run.id != inbox_entry(uri)[0]:
        raise Rejected(f"{uri} is of another run")
    put_once(run_uri(bucket.root, run.id), body, bucket)
    return run


def remove_entry(uri: str, bucket: Bucket) -> None:
    """Remove the entry at that URI, if there is one."""
    bucket.store.delete(uri)
