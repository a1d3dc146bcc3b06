"""SQLite files that the processes of a laptop share."""

import sqlite3
import time
from pathlib import Path

__all__ = ["open_file"]

_PATIENCE = 30.0  # seconds that one waits for another


def open_file(path: Path, *, check_same_thread: bool = True) -> sqlite3.Connection:
    """A connection to the file, which is made if need be, with its folder. Raises sqlite3.Error and OSError.

    Of two that make a file at once SQLite refuses one, and lets it not wait: it waits here.
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
