"""Damage of a file of documents is told in words of ours, not in those of SQLite."""

import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from knoll.adapters.clock import SystemClock
from knoll.adapters.cluster_local import LocalCluster
from knoll.adapters.document_table import readable_documents
from knoll.errors import MAKE_ROOM, ClusterUnavailable, QuotaExceeded, Rejected, Unavailable
from knoll.events import Event
from knoll.laptop.broker.event_log import EventLog
from knoll.sqlite_file import REPAIR, check_file, damage_of, open_file, unavailable
from support.models import model_document

BROKEN = {
    "does not begin as a file of SQLite does": range(100),
    "is damaged: page 10 is broken": range(9 * 4096, 10 * 4096),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "knoll.db"
    cluster = LocalCluster(path, "default", SystemClock())
    for number in range(50):
        cluster.create(model_document(f"model-{number:03d}", data="s3://data/" + "x" * 500))
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.mark.parametrize("told", BROKEN)
def test_damage_is_told_in_words(told: str, path: Path) -> None:
    assert damage_of(path) == ""
    body = bytearray(path.read_bytes())
    for place in BROKEN[told]:
        body[place] = 0x7F
    path.write_bytes(body)
    with pytest.raises(Unavailable, match=told) as found:
        check_file(path)
    assert found.value.fix == REPAIR


def test_a_document_that_cannot_be_read_is_told_so(path: Path) -> None:
    path.write_bytes(b"no database at all, but long enough to be looked at" * 100)
    with pytest.raises(ClusterUnavailable) as found:
        LocalCluster(path, "default", SystemClock()).list("Model")
    assert re.search(r"knoll\.db is damaged: it does not begin as a file of SQLite does", str(found.value))


def test_an_empty_file_is_damaged_and_a_new_one_is_never_empty(path: Path) -> None:
    """So Models are not lost without a word when the file was cut off."""
    os.truncate(path, 0)
    assert damage_of(path) == "it is empty"
    new = path.with_name("new.db")
    with closing(open_file(new)):
        assert new.stat().st_size
        assert new.stat().st_mode & 0o077 == 0
    assert damage_of(new) == ""
    assert not [*path.parent.glob("new.db.new*")]


@pytest.mark.parametrize("byte", [b"\xff", b"["], ids=["no text", "no JSON"])
def test_a_row_that_cannot_be_read_is_damage_although_its_page_is_whole(path: Path, byte: bytes) -> None:
    body = path.read_bytes()
    place = body.index(b'{"', body.index(b"model-025"))
    path.write_bytes(body[:place] + byte + body[place + 1 :])
    assert damage_of(path) == "a text in it cannot be read"
    with pytest.raises(ClusterUnavailable, match="is damaged: a text in it cannot be read") as found:
        LocalCluster(path, "default", SystemClock()).list("Model")
    assert found.value.fix == REPAIR
    assert len({one["metadata"]["name"] for one in readable_documents(path)}) == 49


def test_a_damaged_event_is_told_so(path: Path) -> None:
    log = EventLog(path)
    log.append(Event("1", "/test", "dev.knoll.tick", "2026-01-01T00:00:00Z"), ["sweep"])
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE events SET body = '{'")
    with pytest.raises(Unavailable, match="is damaged: a text in it cannot be read"):
        log.event(1)
    log.close()
    assert damage_of(path) == "a text in it cannot be read"


def test_damage_that_sqlite_quotes_is_told_in_words(path: Path) -> None:
    """Its message about a damaged table is no UTF-8, so Python raises another error than those of SQLite."""
    body = path.read_bytes()
    for old, new in {
        b"tabledocuments": b"table\xa1ocuments",
        b"CREATE TABLE documents": b"CREATE\xa1",
    }.items():
        assert old in body
        body = body.replace(old, new.ljust(len(old), b"\xa1"))
    path.write_bytes(body)
    assert damage_of(path) == "a text in it cannot be read"
    with pytest.raises(ClusterUnavailable, match="is damaged"):
        LocalCluster(path, "default", SystemClock())
    assert not [*readable_documents(path)]


def test_a_document_that_is_no_json_is_refused_in_our_words(path: Path) -> None:
    document = model_document("digits", data="s3://data/x")
    with pytest.raises(Rejected, match="it is not JSON: a number in it is NaN or infinite"):
        LocalCluster(path, "default", SystemClock()).create({**document, "status": {"a": float("nan")}})


def test_an_error_that_no_table_knows_is_named_and_not_quoted(path: Path) -> None:
    with closing(sqlite3.connect(path)) as file, pytest.raises(sqlite3.Error) as raised:
        file.execute("SELECT nothing FROM nowhere")
    assert (
        str(unavailable(path, raised.value)) == f"cannot read or write {path}: SQLite ends with SQLITE_ERROR"
    )


def test_a_full_disk_is_a_limit_that_somebody_must_lift(path: Path) -> None:
    """So the answer to an event is 507 with these words, whichever part has met the disk."""
    with closing(open_file(path)) as file:
        file.execute("PRAGMA max_page_count = 1")
        with pytest.raises(sqlite3.Error) as raised:
            file.execute("CREATE TABLE more AS SELECT zeroblob(100000)")
    error = unavailable(path, raised.value, ClusterUnavailable)
    assert isinstance(error, QuotaExceeded)
    assert (str(error), error.fix) == (f"the disk of {path} is full", MAKE_ROOM)


def test_a_file_that_another_process_holds_is_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("knoll.sqlite_file._PATIENCE", 0.1)
    path = tmp_path / "held.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("CREATE TABLE some (one)")
        file.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Unavailable, match="another process has held it for too long") as found:
            damage_of(path)
    assert "damaged" not in str(found.value)
