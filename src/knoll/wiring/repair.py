"""`knoll doctor --repair`: a new file of documents for a damaged one.

What can still be read is kept. A Model that cannot is rebuilt from its newest run; which version serves, the
rollout finds in its records. Events are not kept: they are hints, and the sweep finds what they told.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knoll.adapters.clock import SystemClock
from knoll.adapters.cluster_local import LocalCluster
from knoll.errors import KnollError
from knoll.kube.times import timestamp
from knoll.laptop.signing import STAMPING
from knoll.models import API_VERSION, KIND
from knoll.ports import Bucket, Document
from knoll.records.run import Run, find_run, list_runs
from knoll.records.stamp import is_stamped
from knoll.settings import VERIFY_FILE, Settings
from knoll.sqlite_file import DATABASE, damage_of
from knoll.wiring.own_store import own_store, with_store
from knoll.wiring.platform import object_store
from knoll.wiring.running import hold_home

__all__ = ["Repaired", "repair"]

_SIDE_FILES = ("", "-wal", "-shm")


@dataclass(frozen=True)
class Repaired:
    """What a repair did: where the damaged file lies, which documents it still had, as KIND NAME, and which
    Models were rebuilt. All are empty if nothing was damaged."""

    damage: str = ""
    kept_at: str = ""
    read: tuple[str, ...] = ()
    rebuilt: tuple[str, ...] = ()


def repair(settings: Settings) -> Repaired:
    """Replace the damaged file of documents of this home, if it is damaged. Raises Unavailable if the
    platform runs, or its store does not start."""
    path = settings.home / DATABASE
    with hold_home(settings.home):
        if not (damage := damage_of(path)):
            return Repaired()
        with own_store(settings) as store:
            known = with_store(settings, store)
            documents = {(one["kind"], one["metadata"]["name"]): one for one in _readable(path)}
            bucket = Bucket(object_store(known), known.model_root, stamp_verify_key=_stamp_keys(settings))
            rebuilt = _rebuilt(bucket, documents, settings.namespace)
        aside = _set_aside(path)
        LocalCluster(path, settings.namespace, SystemClock())
        _write(path, [*documents.values(), *rebuilt], settings.namespace)
    names = tuple(f"{kind} {name}" for kind, name in sorted(documents))
    return Repaired(damage, str(aside), names, tuple(one["metadata"]["name"] for one in rebuilt))


def _readable(path: Path) -> Iterator[Document]:
    """The documents that can be read, from both ends of the table: a damaged page hides those behind it."""
    for order in ("ASC", "DESC"):
        query = f"SELECT body FROM documents ORDER BY kind {order}, namespace {order}, name {order}"
        with (
            suppress(sqlite3.Error),
            closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file,
        ):
            for (body,) in file.execute(query):
                with suppress(ValueError, TypeError, KeyError):
                    document = json.loads(body)
                    _ = document["kind"], document["metadata"]["name"]
                    yield document


def _rebuilt(bucket: Bucket, documents: dict[tuple[str, str], Document], namespace: str) -> list[Document]:
    """The Models that the bucket knows and the file does not, each as its newest run asked for it."""
    newest: dict[str, Run] = {}
    for run in sorted(_runs(bucket), key=lambda one: (is_stamped(one, bucket), one.created_at)):
        if run.prefix:
            newest[run.model] = run
    lost = [run for name, run in sorted(newest.items()) if (KIND, name) not in documents]
    return [_model(run, namespace) for run in lost]


def _runs(bucket: Bucket) -> Iterator[Run]:
    for name, _ in list_runs("", bucket):
        with suppress(KnollError):  # what is no run is passed over
            if run := find_run(name, bucket):
                yield run


def _model(run: Run, namespace: str) -> Document:
    training: dict[str, Any] = {"config": dict(run.config), "resources": dict(run.resources)}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": run.model,
            "namespace": namespace,
            "uid": run.model_uid or run.id,
            "generation": run.model_generation or 1,
            "creationTimestamp": timestamp(SystemClock().now()),
        },
        "spec": {"family": run.family, "dataset": {"uri": run.prefix}, "training": training},
    }


def _stamp_keys(settings: Settings) -> str:
    """The keys with which records of this home are stamped; "" if it has none yet."""
    with suppress(FileNotFoundError):
        return (settings.home / STAMPING / VERIFY_FILE).read_text()
    return ""


def _set_aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for suffix in _SIDE_FILES:
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside


def _write(path: Path, documents: list[Document], namespace: str) -> None:
    newest = max((int(one["metadata"].get("resourceVersion", 0)) for one in documents), default=0)
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE revisions SET number = ?", (newest + len(documents),))
        for number, document in enumerate(documents, newest + 1):
            metadata = {**document["metadata"], "resourceVersion": str(number)}
            body = json.dumps({**document, "metadata": metadata})
            row = (document["kind"], namespace, metadata["name"], body)
            file.execute(
                "INSERT OR REPLACE INTO documents (kind, namespace, name, body) VALUES (?, ?, ?, ?)", row
            )
