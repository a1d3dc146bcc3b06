"""How many dead letters are kept: a flood of events that nobody takes must not fill the store, nor take the
room of other sources.

One source may fill at most half of what other sources leave. So the first one gets half of the room at most,
the next one half of what is left, and a source with few letters is refused only when hardly any is left.
"""

import threading
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from knoll.errors import QuotaExceeded, Unavailable
from knoll.ports import Bucket, Platform
from knoll.quoting import escaped
from knoll.records.letter_room import (
    Refusals,
    Usage,
    find_refusals,
    measure,
    source_id,
    write_refusals,
)

__all__ = ["FIX", "MOST_BYTES", "MOST_DEATHS", "REFUSALS_TOLD", "Room", "take_room"]

MOST_DEATHS = 10_000
MOST_BYTES = 256 * 2**20
REFUSALS_TOLD = timedelta(days=1)  # after the last one
_LOOK_AGAIN = timedelta(minutes=1)
_TELL_AGAIN = timedelta(seconds=10)
FIX = "knoll dlq list shows them: mend what refuses them, or stop who sends them; knoll dlq drop makes room"


class Room:
    """What a process knows of the dead letters that are kept: counted once a minute, and what it adds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted_at: datetime | None = None
        self._used = Usage()

    def take(self, source: str, size: int, bucket: Bucket, now: datetime) -> None:
        """Take room for one more of `size` bytes. Raises QuotaExceeded if there is none, or none for the
        source."""
        with self._lock:
            if self._counted_at is None or not timedelta() <= now - self._counted_at < _LOOK_AGAIN:
                self._used, self._counted_at = measure(bucket), now
            if fault := _fault(self._used, source, size):
                raise QuotaExceeded(fault, fix=FIX)
            self._used.add(source_id(source), 1, size)


class _Untold:
    """The refusals that a process has not written yet, and when it wrote the last ones."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.count = 0
        self.at: datetime | None = None


def take_room(source: str, size: int, platform: Platform) -> None:
    """Take room for a letter of that source; if there is none, write so for people. Raises QuotaExceeded."""
    now = platform.clock.now()
    try:
        platform.caches.of(Room).take(source, size, platform.bucket, now)
    except QuotaExceeded as error:
        with suppress(Unavailable):
            _note(source, str(error), now, platform)
        raise


def _fault(used: Usage, source: str, size: int) -> str:
    if used.objects >= MOST_DEATHS or used.bytes + size > MOST_BYTES:
        return (
            f"{used.objects:,} dead letters with {used.bytes:,} bytes are kept already; the "
            f"limits are {MOST_DEATHS:,} and {MOST_BYTES:,} bytes"
        )
    id = source_id(source)
    objects, bytes = used.objects_of[id], used.bytes_of[id]
    if objects >= MOST_DEATHS - used.objects or bytes + size > MOST_BYTES - used.bytes:
        return (
            f"{objects:,} dead letters of the source {escaped(source)[:100]} with {bytes:,} bytes are kept "
            "already. A source may have as much as it leaves free for others; all together may have "
            f"{MOST_DEATHS:,} with {MOST_BYTES:,} bytes"
        )
    return ""


def _note(source: str, reason: str, now: datetime, platform: Platform) -> None:
    """Write the refusals, at most every ten seconds, because a flood may be refused."""
    told = platform.caches.of(_Untold)
    with told.lock:
        told.count += 1
        if told.at is not None and timedelta() <= now - told.at < _TELL_AGAIN:
            return
        count, told.count, told.at = told.count, 0, now
    at, shown = now.isoformat(), escaped(source)[:100]
    before = find_refusals(platform.bucket)
    if before and now - datetime.fromisoformat(before.last) < REFUSALS_TOLD:
        refused = replace(before, count=before.count + count, last=at, source=shown, reason=reason)
    else:
        refused = Refusals(count, at, at, shown, reason)
    write_refusals(refused, platform.bucket)
