"""SQLite files that the processes of a laptop share."""

import errno
import json
import os
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from knoll.errors import MAKE_ROOM, QuotaExceeded, Unavailable

__all__ = [
    "DATABASE",
    "REPAIR",
    "SQLITE_FAULTS",
    "DamagedRow",
    "check_file",
    "damage_of",
    "faults_told",
    "open_file",
    "read_body",
    "transaction",
    "unavailable",
]

SQLITE_FAULTS = (sqlite3.Error, OSError, UnicodeDecodeError)
"""What SQLite raises. Python decodes its messages, and one about a damaged table quotes the damage."""

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_WORDS = {  # of what SQLite answers
    sqlite3.SQLITE_CORRUPT: "its parts contradict each other",
    sqlite3.SQLITE_NOTADB: "it does not begin as a file of SQLite does",
    sqlite3.SQLITE_BUSY: "another process has held it for too long",
    sqlite3.SQLITE_LOCKED: "another process has held it for too long",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_READONLY: "it may only be read",
    sqlite3.SQLITE_PERM: "it may not be read",
    sqlite3.SQLITE_IOERR: "the disk has failed",
}
DATABASE = "knoll.db"  # the file of a home: documents and events
REPAIR = "stop knoll up, then knoll doctor --repair"
_PATIENCE = 30.0  # seconds that one process waits for another
_UNREADABLE = "a text in it cannot be read"


class DamagedRow(sqlite3.DatabaseError):
    """A row is not what was written: SQLite looks at pages, not at what texts in them say."""


def open_file(path: Path, *, check_same_thread: bool = True) -> sqlite3.Connection:
    """A connection to the file; file and folder are made if they are missing, for their owner alone: there
    are keys in it. Raises sqlite3.Error and OSError.

    If two processes make the file at once, SQLite refuses one of them without waiting, so this waits.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _make(path)
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


def _make(path: Path) -> None:
    """The file appears with its header: so one without bytes is damaged, and not one that a killed process
    was about to make."""
    draft = path.with_name(f"{path.name}.new-{os.getpid()}-{threading.get_ident()}")
    try:
        draft.touch(mode=0o600)
        with closing(sqlite3.connect(draft)) as file:
            file.execute("PRAGMA journal_mode=WAL")
        with suppress(OSError):  # another process was faster, or the disk knows no links
            os.link(draft, path)
        path.touch(mode=0o600)
    finally:
        draft.unlink(missing_ok=True)


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


@contextmanager
def faults_told(path: Path, kind: type[Unavailable] = Unavailable) -> Iterator[None]:
    """Turns what SQLite raises about this file into `unavailable`."""
    try:
        yield
    except SQLITE_FAULTS as error:
        raise unavailable(path, error, kind) from error


def read_body(body: str | bytes, read: Callable[[str | bytes], Any] = json.loads) -> Any:
    """The JSON in a column `body`. Raises DamagedRow if there is none."""
    try:
        return read(body)
    except ValueError as error:
        raise DamagedRow from error


def unavailable(path: Path, error: Exception, kind: type[Unavailable] = Unavailable) -> Unavailable:
    """What an error of SQLite or of the system means for this file: QuotaExceeded if its disk is full, else
    an error of that kind."""
    code = _code(error)
    if _is_damage(error):
        return kind(f"{path} is damaged: {_words(error)}", fix=REPAIR)
    if code == sqlite3.SQLITE_FULL or getattr(error, "errno", 0) == errno.ENOSPC:
        return QuotaExceeded(f"the disk of {path} is full", fix=MAKE_ROOM)
    told = f"cannot read or write {path}: {_words(error)}"
    return kind(told, fix="let your user write the file and its folder")


def _code(error: Exception) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _is_damage(error: Exception) -> bool:
    return _code(error) in _DAMAGED or _is_unreadable(error)


def _is_unreadable(error: Exception) -> bool:
    """Whether Python, and not SQLite, has met a text that it cannot decode."""
    told_by_python = type(error) is sqlite3.OperationalError and not _code(error)
    return told_by_python or isinstance(error, (DamagedRow, UnicodeDecodeError))


def _words(error: Exception) -> str:
    if _is_unreadable(error):
        return _UNREADABLE
    kind = getattr(error, "sqlite_errorname", type(error).__name__)
    return getattr(error, "strerror", "") or _WORDS.get(_code(error), f"SQLite ends with {kind}")


def check_file(path: Path) -> None:
    """Raise Unavailable if the file is damaged."""
    if damage := damage_of(path):
        raise Unavailable(f"{path} is damaged: {damage}", fix=REPAIR)


def damage_of(path: Path) -> str:
    """What is wrong with the pages of the file and with the JSON in them; "" if it is whole, or not there.
    Raises Unavailable if it cannot be looked at."""
    if not path.exists():
        return ""
    if not path.stat().st_size:
        return "it is empty"
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=_PATIENCE)) as file:
            rows = [str(row[0]) for row in file.execute("PRAGMA quick_check(3)")]
            if rows != ["ok"]:
                return _damaged_pages(rows)
            _read_all(file)
    except SQLITE_FAULTS as error:
        if _is_damage(error):
            return _words(error)
        raise unavailable(path, error) from error
    return ""


def _read_all(file: sqlite3.Connection) -> None:
    """Read each body. Raises DamagedRow for the first that cannot be read."""
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%body TEXT%'"
    for (table,) in file.execute(tables).fetchall():
        for (body,) in file.execute(f"SELECT CAST(body AS BLOB) FROM {table}"):
            read_body(body)


def _damaged_pages(rows: Sequence[str]) -> str:
    """What SQLite has found, as it numbers the pages."""
    pages = sorted({int(page) for row in rows for page in re.findall(r"\bPage (\d+):", row)})
    if not pages:
        return _WORDS[sqlite3.SQLITE_CORRUPT]
    found = ", ".join(map(str, pages))
    return f"page {found} is broken" if len(pages) == 1 else f"pages {found} are broken"
