"""How many dead letters are kept: a flood of events that nobody takes must not fill the store."""

import threading
from datetime import datetime, timedelta

from knoll.errors import QuotaExceeded
from knoll.ports import Bucket
from knoll.records.dead_letter import sizes_of_letters

__all__ = ["MOST_BYTES", "MOST_DEATHS", "Room"]

MOST_DEATHS = 10_000
MOST_BYTES = 256 * 2**20
_LOOK_AGAIN = timedelta(minutes=1)


class Room:
    """What a process knows of the dead letters that are kept: counted once a minute, and what it adds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted_at: datetime | None = None
        self._deaths = self._bytes = 0

    def take(self, size: int, bucket: Bucket, now: datetime) -> None:
        """Take room for one more of `size` bytes. Raises QuotaExceeded if there is none."""
        with self._lock:
            if self._counted_at is None or not timedelta() <= now - self._counted_at < _LOOK_AGAIN:
                sizes = sizes_of_letters(bucket)
                self._deaths, self._bytes, self._counted_at = len(sizes), sum(sizes), now
            if self._deaths >= MOST_DEATHS or self._bytes + size > MOST_BYTES:
                raise QuotaExceeded(
                    f"{self._deaths:,} dead letters with {self._bytes:,} bytes are kept already; at most "
                    f"{MOST_DEATHS:,} with {MOST_BYTES:,} bytes may be",
                    fix="knoll dlq list shows them; knoll dlq drop makes room",
                )
            self._deaths, self._bytes = self._deaths + 1, self._bytes + size
