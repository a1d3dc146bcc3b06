"""`knoll doctor --repair` and `--rebuild`: a new file of documents for a damaged one, and lost Models.

What can still be read is kept. Events are not: they are hints, and the sweep finds what they told. A missing
Model may have been deleted, and the bucket does not say so. So a Model is only rebuilt if the user names it.
Its newest run says how it was declared, and the rollout's records say which version serves.
"""

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knoll.adapters.clock import SystemClock
from knoll.adapters.cluster_local import LocalCluster
from knoll.adapters.document_table import readable_documents, store_document
from knoll.errors import KnollError, NotFound
from knoll.installation import VERIFY_FILE
from knoll.kube.times import timestamp
from knoll.laptop.signing import STAMPING
from knoll.models import API_VERSION, KIND
from knoll.ports import Bucket, Document
from knoll.records.run import Run, find_run, list_runs
from knoll.records.stamp import is_stamped
from knoll.settings import Settings
from knoll.sqlite_file import DATABASE, damage_of
from knoll.wiring.own_store import own_store, with_store
from knoll.wiring.platform import object_store
from knoll.wiring.running import hold_home

__all__ = ["Repaired", "repair"]

_SIDE_FILES = ("", "-wal", "-shm")


@dataclass(frozen=True)
class Repaired:
    """What a repair did: where the damaged file lies, which documents it still had, as KIND NAME, which
    Models were rebuilt, and which could be: they have runs, and are not in the file. The first two are empty
    if nothing was damaged."""

    damage: str = ""
    kept_at: str = ""
    read: tuple[str, ...] = ()
    rebuilt: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


def repair(settings: Settings, names: Collection[str] = ()) -> Repaired:
    """Replace the file of documents of this home, if it is damaged, and rebuild the Models of these names.

    Raises Unavailable if the platform runs, or its store does not start, and NotFound, before anything is
    changed, for a name that is in the file already, or has no run.
    """
    path = settings.home / DATABASE
    with hold_home(settings.home):
        damage = damage_of(path)
        if not damage and not names:
            return Repaired()
        with own_store(settings) as store:
            known = with_store(settings, store)
            bucket = Bucket(object_store(known), known.model_root, stamp_verify_key=_stamp_keys(settings))
            newest = _newest_runs(bucket)
        documents = {(one["kind"], one["metadata"]["name"]): one for one in readable_documents(path)}
        lost = {name: run for name, run in newest.items() if (KIND, name) not in documents}
        _check(names, lost)
        aside = str(_set_aside(path)) if damage else ""
        LocalCluster(path, settings.namespace, SystemClock())
        kept = [*documents.values()] if damage else []
        _write(path, [*kept, *(_model(lost[name], settings.namespace) for name in names)], settings.namespace)
    read = tuple(f"{one['kind']} {one['metadata']['name']}" for one in kept)
    return Repaired(damage, aside, tuple(sorted(read)), tuple(names), tuple(sorted({*lost} - {*names})))


def _check(names: Collection[str], lost: Collection[str]) -> None:
    """Raises NotFound unless each of the names is one of the lost Models."""
    if unknown := [name for name in names if name not in lost]:
        could = ", ".join(sorted(lost)) or "none"
        raise NotFound(
            f"Model {', '.join(unknown)} cannot be rebuilt: it is declared already, or has no run",
            fix=f"these can be: {could}; knoll apply -f FILE declares any Model",
        )


def _newest_runs(bucket: Bucket) -> dict[str, Run]:
    """The newest run of each model, by name."""
    newest: dict[str, Run] = {}
    for run in sorted(_runs(bucket), key=lambda one: (is_stamped(one, bucket), one.created_at)):
        if run.prefix:
            newest[run.model] = run
    return newest


def _runs(bucket: Bucket) -> Iterator[Run]:
    for name, _ in list_runs("", bucket):
        with suppress(KnollError):  # what is no run is passed over
            if run := find_run(name, bucket):
                yield run


def _model(run: Run, namespace: str) -> Document:
    """The Model as far as its run tells."""
    training: dict[str, Any] = {
        "config": dict(run.config),
        "resources": dict(run.resources),
        "nodes": run.nodes,
        "processesPerNode": run.processes_per_node,
        "sharding": run.sharding,
        "deadline": f"{run.deadline:g}s",
        "retries": run.retries,
    }
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
    """Each gets a newer resourceVersion than all of them had."""
    newest = max((int(one["metadata"].get("resourceVersion", 0)) for one in documents), default=0)
    with closing(sqlite3.connect(path)) as file, file:
        for document in documents:
            store_document(file, namespace, document, newest)
