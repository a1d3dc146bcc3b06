"""The table of Kubernetes objects in a laptop's SQLite file, and the number that rises with every change."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from pydantic_core import from_json, to_json

from knoll.ports import Document
from knoll.sqlite_file import SQLITE_FAULTS, DamagedRow, read_body

__all__ = [
    "create_table",
    "delete_document",
    "find_document",
    "list_documents",
    "raise_revision",
    "readable_documents",
    "revision",
    "store_document",
]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (kind, namespace, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS revisions (number INTEGER NOT NULL);
INSERT INTO revisions SELECT 0 WHERE NOT EXISTS (SELECT * FROM revisions);
"""


def create_table(file: sqlite3.Connection) -> None:
    """Create the table and its number, unless they are there."""
    file.executescript(_SCHEMA)


def revision(file: sqlite3.Connection) -> int:
    """The number of the last change."""
    return int(file.execute("SELECT number FROM revisions").fetchone()[0])


def raise_revision(file: sqlite3.Connection, least: int) -> int:
    """Take the next number, which is larger than `least`."""
    file.execute("UPDATE revisions SET number = max(number, ?) + 1", (least,))
    return revision(file)


def find_document(file: sqlite3.Connection, kind: str, namespace: str, name: str) -> Document | None:
    """The document of that name; None if there is none."""
    query = "SELECT body FROM documents WHERE kind = ? AND namespace = ? AND name = ?"
    row = file.execute(query, (kind, namespace, name)).fetchone()
    return _decoded(row[0]) if row else None


def list_documents(file: sqlite3.Connection, kind: str, namespace: str) -> list[Document]:
    """All documents of a kind, by name."""
    query = "SELECT body FROM documents WHERE kind = ? AND namespace = ? ORDER BY name"
    return [_decoded(body) for (body,) in file.execute(query, (kind, namespace))]


def store_document(file: sqlite3.Connection, namespace: str, document: Document, least: int = 0) -> Document:
    """Write the document over the one of its name. Its new resourceVersion is larger than `least`."""
    number = raise_revision(file, least)
    written = {**document, "metadata": {**document["metadata"], "resourceVersion": str(number)}}
    row = (written["kind"], namespace, written["metadata"]["name"], to_json(written).decode())
    file.execute("INSERT OR REPLACE INTO documents (kind, namespace, name, body) VALUES (?, ?, ?, ?)", row)
    return _decoded(row[3])


def delete_document(file: sqlite3.Connection, kind: str, namespace: str, name: str) -> bool:
    """Delete the document of that name; whether there was one."""
    query = "DELETE FROM documents WHERE kind = ? AND namespace = ? AND name = ?"
    is_gone = file.execute(query, (kind, namespace, name)).rowcount > 0
    if is_gone:
        raise_revision(file, 0)
    return is_gone


def readable_documents(path: Path) -> Iterator[Document]:
    """The documents that can be read in a damaged file, from both ends of the table: a damaged page hides
    those behind it."""
    for order in ("ASC", "DESC"):
        query = (
            f"SELECT CAST(body AS BLOB) FROM documents ORDER BY kind {order}, namespace {order}, name {order}"
        )
        with (
            suppress(*SQLITE_FAULTS),
            closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file,
        ):
            for (body,) in file.execute(query):
                with suppress(DamagedRow, TypeError, KeyError):
                    document = _decoded(body)
                    _ = document["kind"], document["metadata"]["name"]
                    yield document


def _decoded(body: str | bytes) -> Document:
    document: Document = read_body(body, from_json)
    return document
