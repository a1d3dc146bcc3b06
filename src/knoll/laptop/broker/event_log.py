"""The broker's memory in one SQLite file: every event, the open deliveries, and the dead letters.

A delivery is a row from the moment that its event is stored until the transaction that stores its outcome. If
the process is killed, the row is there at the next start. Nothing is marked as in flight: that would need
repair. A commit that stores an event reaches the disk, so the event also survives a power failure. A commit
that only ends a delivery need not: after a power failure the delivery is done again.

A dead letter on its way to a sink is a delivery too, with the same guarantees. Its number is negative: minus
the number of the dead letter, which is no event and so in no history. The letter is kept until the sink has
taken it. If the sink does not take it, it is stranded.

The same source and id may be stored twice, as by Knative's brokers: a broker that forgets old events cannot
promise more, and handlers must cope with it. So the history shows what really arrived.
"""

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from knoll.events import PREDICTOR_RECORDED, Event, event_from_json, event_to_json
from knoll.laptop.broker.dead_letters import DeadLetter
from knoll.laptop.broker.deliveries import OpenDelivery
from knoll.sqlite_file import faults_told, open_file, read_body, transaction

__all__ = ["EventLog"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, type TEXT NOT NULL, body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS deliveries (
    seq INTEGER NOT NULL, trigger TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (seq, trigger)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dead_letters (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    trigger TEXT NOT NULL, sink TEXT NOT NULL, at TEXT NOT NULL, body TEXT NOT NULL
);
"""

_MOST_BYTES = 128 * 2**20  # on disk, of events and of dead letters each
_LETTERS_AT_ONCE = 64  # dead letters between two checks of their bytes
_WAITING = "SELECT seq FROM deliveries WHERE seq < 0"  # dead letters that are still to be delivered


class EventLog:
    """The events of one file. Threads may share it, and other processes may read the same file with an
    EventLog of their own.

    Every method raises Unavailable when the file cannot be read or written, QuotaExceeded if its disk is
    full. The log keeps about `keep` events
    and at most as many dead letters, and about `most` bytes of each; an older one stays until it is
    delivered.
    """

    def __init__(self, path: Path, *, keep: int = 50_000, most: int = _MOST_BYTES) -> None:
        self._path, self._keep, self._most, self._lock = path, keep, most, threading.Lock()
        self._grown = most  # bytes since the last prune; what a start finds counts, too
        with faults_told(path):
            self._file = open_file(path, check_same_thread=False)
            self._file.executescript(_SCHEMA)

    def append(self, event: Event, triggers: Iterable[str]) -> int:
        """Store an event and its deliveries; return its number."""
        with self._transaction():
            return self._append(event, triggers)

    def settle(self, seq: int, trigger: str, reply: Event | None, triggers: Iterable[str]) -> int:
        """End a delivery: forget it, and store its reply with the reply's own deliveries, all or nothing.
        Return the reply's number, or 0.

        If the delivery brought a dead letter to its sink, forget the letter as well.
        """
        with self._transaction(is_synced=reply is not None):
            self._forget(seq, trigger)
            self._file.execute("DELETE FROM dead_letters WHERE number = ?", (-seq,))
            return self._append(reply, triggers) if reply else 0

    def postpone(self, trigger: str, delivery: OpenDelivery) -> None:
        """Store that a delivery failed, and when it is due again."""
        with self._transaction(is_synced=False):
            row = (delivery.attempts, delivery.due, delivery.seq, trigger)
            self._file.execute(
                "UPDATE deliveries SET attempts = ?, due = ? WHERE seq = ? AND trigger = ?", row
            )

    def bury(self, seq: int, trigger: str, sink: str, letter: Event, at: str, queues: Iterable[str]) -> int:
        """Give a delivery up: keep the event as a dead letter, with deliveries of its own. Return their
        number."""
        with self._transaction():
            self._forget(seq, trigger)
            row = (trigger, sink, at, _dump(letter))
            number = (
                self._file.execute(
                    "INSERT INTO dead_letters (trigger, sink, at, body) VALUES (?, ?, ?, ?)", row
                ).lastrowid
                or 0
            )
            self._add_deliveries(-number, queues)
            old = f"DELETE FROM dead_letters WHERE number <= ? AND -number NOT IN ({_WAITING})"
            beyond = self._beyond("dead_letters", "number") if number % _LETTERS_AT_ONCE == 0 else 0
            self._file.execute(old, (max(number - self._keep, beyond),))
            return -number

    def strand(self, seq: int, queue: str) -> None:
        """Keep a dead letter that its sink did not take, and end its delivery."""
        with self._transaction(is_synced=False):
            self._forget(seq, queue)

    def stranded(self) -> list[tuple[int, str]]:
        """The dead letters without a delivery: the number that a delivery of each would have, and its
        sink."""
        query = f"SELECT -number, sink FROM dead_letters WHERE -number NOT IN ({_WAITING}) ORDER BY number"
        return [(seq, sink) for seq, sink in self._read(query)]

    def add_delivery(self, seq: int, queue: str) -> None:
        """Deliver a stranded dead letter once more."""
        with self._transaction(is_synced=False):
            self._add_deliveries(seq, [queue])

    def event(self, seq: int) -> Event:
        """The event, or the dead letter, of a delivery's number."""
        query = (
            "SELECT body FROM events WHERE seq = ?"
            if seq > 0
            else "SELECT body FROM dead_letters WHERE number = -?"
        )
        [(event,)] = self._read_events(query, seq)
        return cast("Event", event)

    def open_deliveries(self) -> dict[str, list[OpenDelivery]]:
        """All deliveries that are still to be done, by trigger."""
        found: dict[str, list[OpenDelivery]] = {}
        for trigger, due, seq, attempts in self._read("SELECT trigger, due, seq, attempts FROM deliveries"):
            found.setdefault(trigger, []).append(OpenDelivery(due, seq, attempts))
        return found

    def pending(self, type: str = "") -> int:
        """How many deliveries are still to be done, of one event type if it is given."""
        if not type:
            return int(self._read("SELECT COUNT(*) FROM deliveries")[0][0])
        return int(
            self._read("SELECT COUNT(*) FROM deliveries JOIN events USING (seq) WHERE type = ?", type)[0][0]
        )

    def history(self, after: int = 0, limit: int = 1000) -> list[tuple[int, Event]]:
        """The events numbered above `after`, oldest first, at most `limit`; ask again with the last number
        for more."""
        query = "SELECT seq, body FROM events WHERE seq > ? ORDER BY seq LIMIT ?"
        return [(seq, event) for seq, event in self._read_events(query, after, limit)]

    def dead_letters(self, after: int = 0, limit: int = 1000) -> list[DeadLetter]:
        """The dead letters numbered above `after`, oldest first, at most `limit`."""
        columns = "number, trigger, sink, at, body"
        query = f"SELECT {columns} FROM dead_letters WHERE number > ? ORDER BY number LIMIT ?"
        return [DeadLetter(*row) for row in self._read_events(query, after, limit)]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()

    def _append(self, event: Event, triggers: Iterable[str]) -> int:
        row = (event.type, _dump(event))
        seq = self._file.execute("INSERT INTO events (type, body) VALUES (?, ?)", row).lastrowid or 0
        self._add_deliveries(seq, triggers)
        self._grown += len(row[1])
        if seq % max(1, self._keep // 10) == 0 or self._grown > self._most // 4:
            self._prune(seq)
        return seq

    def _add_deliveries(self, seq: int, triggers: Iterable[str]) -> None:
        self._file.executemany(
            "INSERT INTO deliveries (seq, trigger) VALUES (?, ?)", [(seq, trigger) for trigger in triggers]
        )

    def _prune(self, newest: int) -> None:
        self._grown = 0
        oldest = max(newest - self._keep, self._beyond("events", "seq"))
        self._file.execute(
            "DELETE FROM events WHERE seq <= ? AND seq NOT IN (SELECT seq FROM deliveries WHERE seq <= ?)",
            (oldest, oldest),
        )

    def _beyond(self, table: str, number: str) -> int:
        """The newest number of a table whose row, with all newer ones, exceeds the bytes that are kept."""
        total = f"SUM(LENGTH(body)) OVER (ORDER BY {number} DESC)"
        newest = f"SELECT MAX({number}) FROM (SELECT {number}, {total} AS total FROM {table}) WHERE total > ?"
        return int(self._file.execute(newest, (self._most,)).fetchone()[0] or 0)

    def _forget(self, seq: int, trigger: str) -> None:
        """End a delivery. Recorded requests stay in no history: their event goes with its last delivery."""
        self._file.execute("DELETE FROM deliveries WHERE seq = ? AND trigger = ?", (seq, trigger))
        left = "SELECT 1 FROM deliveries WHERE deliveries.seq = events.seq"
        delivered = f"DELETE FROM events WHERE seq = ? AND type = ? AND NOT EXISTS ({left})"
        self._file.execute(delivered, (seq, PREDICTOR_RECORDED))

    def _read(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock, faults_told(self._path):
            return self._file.execute(query, values).fetchall()

    def _read_events(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows whose last column is an event."""
        rows = self._read(query, *values)
        with faults_told(self._path):
            return [(*row, event_from_json(read_body(body))) for *row, body in rows]

    @contextmanager
    def _transaction(self, *, is_synced: bool = True) -> Iterator[None]:
        with self._lock, faults_told(self._path):
            self._file.execute(f"PRAGMA synchronous={'FULL' if is_synced else 'NORMAL'}")
            with transaction(self._file):
                yield


def _dump(event: Event) -> str:
    return json.dumps(event_to_json(event), separators=(",", ":"))
