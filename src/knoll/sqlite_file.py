"""SQLite files that the processes of a laptop share."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["open_file", "transaction"]

_PATIENCE = 30.0  # seconds that one process waits for another


def open_file(path: Path, *, check_same_thread: bool = True) -> sqlite3.Connection:
    """A connection to the file; file and folder are made if they are missing. Raises sqlite3.Error and
    OSError.

    If two processes make the file at once, SQLite refuses one of them without waiting, so this waits.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=check_same_thread)
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            file.execute("PRAGMA journal_mode=WAL")
            return file
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


@contextmanager
def transaction(file: sqlite3.Connection) -> Iterator[None]:
    """A transaction that holds the file's write lock from its start: all of it is stored, or nothing."""
    file.execute("BEGIN IMMEDIATE")
    try:
        yield
        file.execute("COMMIT")
    except BaseException:
        if file.in_transaction:
            file.execute("ROLLBACK")
        raise
