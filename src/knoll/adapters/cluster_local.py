"""Kubernetes objects in one SQLite file, with the API server's rules of optimistic concurrency.

On a laptop several processes work on the same objects. Each write is one transaction, so the file decides
which writer wins. The rules are those of Kubernetes' API conventions ("Concurrency Control and Consistency",
"Metadata", "Spec and Status").
"""

import json
import sqlite3
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from knoll.adapters import document_table as table
from knoll.errors import AlreadyExists, ClusterUnavailable, Conflict, NotFound, Rejected
from knoll.json_faults import why_unwritable
from knoll.kube.kinds import INFERENCE_SERVICE_API, JOB_API, MODEL_API, REVISION_API, SECRET_API
from knoll.kube.metadata import faults_of_metadata
from knoll.kube.times import timestamp
from knoll.names import NAMESPACE_NAME
from knoll.ports import Clock, Document
from knoll.sqlite_file import faults_told, open_file, transaction

__all__ = ["LocalCluster"]

_KINDS = {
    "Model": MODEL_API,
    "Job": JOB_API,
    "Pod": "v1",
    "ResourceQuota": "v1",
    "Secret": SECRET_API,
    "InferenceService": INFERENCE_SERVICE_API,
    "Revision": REVISION_API,
}
_OF_THE_SERVER = ("namespace", "uid", "resourceVersion", "generation", "creationTimestamp")


class LocalCluster:
    """`ports.Cluster` on a file. Threads and processes may share it; each thread has a connection of its
    own."""

    def __init__(self, path: Path, namespace: str, clock: Clock) -> None:
        self._path, self._namespace, self._clock = path, namespace, clock
        self._connections = threading.local()
        with self._connected() as file:
            table.create_table(file)

    def create(self, document: Document) -> Document:
        """See `ports.Cluster.create`. Raises Rejected for a document that an API server would refuse."""
        document, kind, name = self._checked(document)
        if "resourceVersion" in document["metadata"]:
            raise Rejected(f"{kind} {name}: resourceVersion must not be set on a new object")
        with self._transaction() as file:
            if self._find(file, kind, name):
                raise AlreadyExists(f"{kind} {name} exists already", fix="read it back")
            given = {key: value for key, value in document["metadata"].items() if key not in _OF_THE_SERVER}
            metadata = given | {
                "namespace": self._namespace,
                "uid": self._new_uid(),
                "generation": 1,
                "creationTimestamp": timestamp(self._clock.now()),
            }
            return self._store(file, {**_without_status(document), "metadata": metadata})

    def get(self, kind: str, name: str) -> Document:
        """See `ports.Cluster.get`."""
        with self._connected() as file:
            found = self._find(file, _known(kind), name)
        if found is None:
            raise NotFound(f"there is no {kind} {name}")
        return found

    def list(self, kind: str, labels: Mapping[str, str] | None = None) -> list[Document]:
        """See `ports.Cluster.list`."""
        with self._connected() as file:
            documents = table.list_documents(file, _known(kind), self._namespace)
        wanted = (labels or {}).items()
        return [one for one in documents if wanted <= (one["metadata"].get("labels") or {}).items()]

    def update(self, document: Document, *, status: bool = False) -> Document:
        """See `ports.Cluster.update`. Raises Rejected for a document that an API server would refuse."""
        document, kind, name = self._checked(document)
        with self._transaction() as file:
            stored = self._find(file, kind, name)
            if stored is None:
                raise NotFound(f"there is no {kind} {name}")
            if not _is_current(document["metadata"], stored["metadata"]):
                raise _conflict(kind, name)
            written = _with_status(stored, document) if status else _with_spec(stored, document)
            return stored if written == stored else self._store(file, written)

    def delete(self, kind: str, name: str, *, version: str = "") -> None:
        """See `ports.Cluster.delete`."""
        with self._transaction() as file:
            stored = self._find(file, _known(kind), name)
            if version and stored is not None and stored["metadata"]["resourceVersion"] != version:
                raise _conflict(kind, name)
            if not table.delete_document(file, _known(kind), self._namespace, name):
                raise NotFound(f"there is no {kind} {name}")

    def revision(self) -> int:
        """A number that rises with every change of any object in the file."""
        with self._connected() as file:
            return table.revision(file)

    def _new_uid(self) -> str:
        return str(uuid.uuid4())

    def _checked(self, document: Document) -> tuple[Document, str, str]:
        """A copy of the document, its kind and its name."""
        faults, body = _faults(document, self._namespace), ""
        try:
            body = json.dumps(document, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            faults.append(f"it is not JSON: {why_unwritable(error)}")
        if faults:
            raise Rejected("not an object that the cluster takes: " + "; ".join(faults))
        return from_json(body), document["kind"], document["metadata"]["name"]

    def _find(self, file: sqlite3.Connection, kind: str, name: str) -> Document | None:
        return table.find_document(file, kind, self._namespace, name)

    def _store(self, file: sqlite3.Connection, document: Document) -> Document:
        return table.store_document(file, self._namespace, document)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._connected() as file, transaction(file):
            yield file

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with faults_told(self._path, ClusterUnavailable):
            if not hasattr(self._connections, "file"):
                self._connections.file = open_file(self._path)
            yield self._connections.file


def _conflict(kind: str, name: str) -> Conflict:
    return Conflict(f"{kind} {name} has changed since it was read", fix="read it again and decide again")


def _known(kind: str) -> str:
    if kind not in _KINDS:
        raise Rejected(f"the cluster knows the kinds {', '.join(_KINDS)}, not {kind!r}")
    return kind


def _is_current(read: Mapping[str, Any], stored: Mapping[str, Any]) -> bool:
    return (read.get("resourceVersion"), read.get("uid", stored["uid"])) == (
        stored["resourceVersion"],
        stored["uid"],
    )


def _without_status(document: Document) -> Document:
    return {key: value for key, value in document.items() if key != "status"}


def _with_status(stored: Document, document: Document) -> Document:
    return _without_status(stored) | ({"status": document["status"]} if "status" in document else {})


def _with_spec(stored: Document, document: Document) -> Document:
    """The stored object with everything of the document but its status and the fields of the server. The
    generation counts changes outside of metadata."""
    given = {key: value for key, value in document["metadata"].items() if key not in _OF_THE_SERVER}
    kept = {key: stored["metadata"][key] for key in _OF_THE_SERVER}
    written = _without_status(document) | ({"status": stored["status"]} if "status" in stored else {})
    is_changed = {**written, "metadata": None} != {**stored, "metadata": None}
    return written | {"metadata": {**given, **kept, "generation": kept["generation"] + int(is_changed)}}


def _faults(document: Any, namespace: str) -> list[str]:
    """The faults for which an API server would refuse an object of any kind."""
    if not isinstance(document, dict) or not isinstance(document.get("metadata"), dict):
        return ["a document needs apiVersion, kind and metadata"]
    kind, metadata = document.get("kind"), document["metadata"]
    if kind not in _KINDS:
        return [f"kind {kind!r} is none of {', '.join(_KINDS)}"]
    faults = []
    if document.get("apiVersion") != _KINDS[kind]:
        faults.append(f"apiVersion of a {kind} is {_KINDS[kind]}, not {document.get('apiVersion')!r}")
    if not isinstance(metadata.get("name"), str) or not NAMESPACE_NAME.fullmatch(metadata["name"]):
        faults.append(
            f"metadata.name {metadata.get('name')!r} must be 1-63 lower-case letters, digits and dashes"
        )
    return [*faults, *map(str, faults_of_metadata(metadata, namespace))]
