"""Recorded requests: what users have asked the champion, kept to be replayed to its next versions.

Each is an object of its own, named after its time and the id of its answer, and never changed. Newer ones
take the place of older ones. All versions of a Model share one bound, because the next candidate may get
what any of them was asked. With keys for stamps, one that no function has stamped is a stray.
"""

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from pydantic import with_config

from knoll.errors import NewerSchema, Rejected
from knoll.names import MODEL_NAME, VERSION_NAME, join
from knoll.ports import Bucket, ObjectInfo
from knoll.records.record import LENIENT, put_once
from knoll.records.stamp import Stamped, find_stamped, stamped, stamped_reader

__all__ = [
    "LONGEST",
    "MOST_BYTES",
    "MOST_OF_ONE",
    "RECORDED_NAME",
    "REQUEST_ID",
    "RecordedEntry",
    "RecordedRequest",
    "claimed",
    "drop_recorded",
    "find_recorded",
    "list_recorded",
    "load_recorded",
    "recorded_name",
    "recorded_uri",
    "remove_recorded",
    "write_recorded",
]

MOST_OF_ONE = 2**18  # bytes of the body of one
MOST_BYTES = 2**24  # of all of a Model
LONGEST = 30 * 24 * 3600  # seconds after which none is replayed
REQUEST_ID = re.compile(r"[0-9a-f]{16}")
RECORDED_NAME = rf"(?P<at>\d{{11}})\.(?P<id>{REQUEST_ID.pattern})"  # without its ending
_KEY = re.compile(rf"(?P<model>{MODEL_NAME.pattern})/{VERSION_NAME.pattern}/{RECORDED_NAME}\.json", re.ASCII)


@with_config(LENIENT)
@dataclass(frozen=True)
class RecordedRequest(Stamped):
    """A V1 request that a version has answered. `id` is the number in the id of that answer, `at` its time in
    seconds since 1970, and `body` the JSON: the inputs alone, without the values of those that are
    `redacted`."""

    model: str
    version: str
    id: str
    at: int
    body: str
    redacted: tuple[str, ...] = ()


@dataclass(frozen=True)
class RecordedEntry:
    """A record as a listing shows it."""

    model: str
    at: int
    id: str
    info: ObjectInfo

    def is_old(self, now: float) -> bool:
        """Whether it is too old to be replayed; `now` is in seconds since 1970."""
        return self.at < now - LONGEST


load_recorded = stamped_reader(RecordedRequest, "recorded request")


def recorded_name(one: RecordedRequest) -> str:
    """The name of a record, without its ending: names sort as the times do."""
    return f"{one.at:011d}.{one.id}"


def recorded_uri(root: str, one: RecordedRequest) -> str:
    """Where a record is."""
    return join(_place(root, one.model, one.version), f"{recorded_name(one)}.json")


def claimed(requests: Sequence[RecordedRequest]) -> bytes:
    """What the proof of a report of such requests stands for."""
    said = [(one.model, one.version, one.id, one.at, one.body, *one.redacted) for one in requests]
    return json.dumps(said).encode()


def write_recorded(requests: Sequence[RecordedRequest], keep: int, now: float, bucket: Bucket) -> None:
    """Keep the requests, and of all of their Model the `keep` newest, within MOST_BYTES and LONGEST."""
    for one in requests:
        put_once(recorded_uri(bucket.root, one), stamped(one, bucket), bucket)
    for model in {one.model for one in requests}:
        size = 0
        for number, kept in enumerate(list_recorded(bucket, model)):
            size += kept.info.size
            if number >= keep or size > MOST_BYTES or kept.is_old(now):
                drop_recorded(kept.info.uri, bucket)


def list_recorded(bucket: Bucket, model: str = "") -> list[RecordedEntry]:
    """The records of a Model, or of all, the newest first. Other objects are passed over."""
    root, found = _place(bucket.root), []
    for info in bucket.store.list(_place(bucket.root, model)):
        if match := _KEY.fullmatch(info.uri.removeprefix(root)):
            found.append(RecordedEntry(match["model"], int(match["at"]), match["id"], info))
    return sorted(found, key=lambda one: (one.at, one.id), reverse=True)


def find_recorded(uri: str, bucket: Bucket) -> RecordedRequest | None:
    """The record at that URI; None if it is gone, or if the object is no such record."""
    with suppress(Rejected, NewerSchema):
        found = find_stamped(uri, load_recorded, RecordedRequest, bucket)
        return found if found and recorded_uri(bucket.root, found) == uri else None
    return None


def drop_recorded(uri: str, bucket: Bucket) -> None:
    """Remove the record at that URI, if there is one."""
    bucket.store.delete(uri)


def remove_recorded(model: str, bucket: Bucket, version: str = "") -> None:
    """Remove all records of a Model, or those that a version has answered."""
    for one in bucket.store.list(_place(bucket.root, model, version)):
        bucket.store.delete(one.uri)


def _place(root: str, *names: str) -> str:
    return join(root, "recorded", *filter(None, names), "")
