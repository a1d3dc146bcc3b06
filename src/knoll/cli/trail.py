"""The trail of a version: event, data, run, gate, version, rollout steps, each with its numbers.

It is read from records alone, so it can be told long after the Jobs and the processes are gone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text
from rich.tree import Tree

from knoll.cli.model_view import find_model
from knoll.cli.rollout_view import Record, read_records, record_line
from knoll.cli.run_view import RunView, find_run, read_run, run_document
from knoll.cli.units import counted, duration, numbers, seconds_between, short_digest, size
from knoll.cli.version_view import VersionView, list_versions, read_version, version_document
from knoll.errors import NotFound
from knoll.ports import Platform
from knoll.records.dataset import Dataset, load_dataset

__all__ = ["Trail", "read_trail", "trail_document", "trail_tree"]


@dataclass(frozen=True)
class Trail:
    """How a version came to be, or why a run led to none."""

    model: str
    run: RunView
    dataset: Dataset | None
    gate: Mapping[str, Any]
    version: VersionView | None
    records: Sequence[Record]


def read_trail(platform: Platform, model: str, version: str = "") -> Trail:
    """The trail of a version; without one of the champion, else of the newest version, else of the newest
    run. Raises NotFound."""
    document = find_model(platform, model)
    names = list_versions(platform, model)
    wanted = version or document.status.get("champion") or next(iter(names), "")
    shown = read_version(platform, model, wanted) if wanted else None
    run = read_run(platform, shown.manifest.run if shown else _newest_run(platform, model))
    records = read_records(platform, model, wanted) if wanted else []
    gate = (document.model.get("spec") or {}).get("gate") or {}
    return Trail(model, run, _dataset(platform, run.run.dataset_uri), gate, shown, records)


def trail_document(trail: Trail) -> dict[str, Any]:
    """The trail as `-o json` shows it."""
    objects = trail.dataset.objects if trail.dataset else ()
    return {
        "model": trail.model,
        "event": dict(trail.run.run.cause),
        "data": {
            "digest": trail.run.run.dataset_digest,
            "uri": trail.dataset.prefix if trail.dataset else "",
            "objects": len(objects),
            "bytes": sum(one.size for one in objects),
            "landedAt": trail.dataset.landed_at if trail.dataset else "",
        },
        "run": {**run_document(trail.run), "config": dict(trail.run.run.config)},
        "gate": dict(trail.gate),
        "version": version_document(trail.version) if trail.version else None,
        "rollout": list(trail.records),
    }


def trail_tree(trail: Trail) -> Tree:
    """The trail as a tree, the cause on top."""
    version = trail.version.manifest.version if trail.version else "(no version)"
    tree = Tree(Text(f"{trail.model} {version}", style="bold"))
    tree.add(_event(trail.run.run.cause))
    tree.add(_data(trail))
    tree.add(_run(trail.run))
    if trail.gate:
        tree.add(_gate(trail))
    if trail.version:
        tree.add(_version(trail.version))
    if trail.records:
        steps = tree.add("rollout")
        for record in trail.records:
            steps.add(f"{record['at'][11:19]} {record_line(record)}")
    return tree


def _event(cause: Mapping[str, str]) -> str:
    if not cause:
        return "event    not recorded"
    kind, subject, id, at = (cause.get(name, "") for name in ("type", "subject", "id", "time"))
    return f"event    {kind} {subject} (id {id}) at {at}"


def _data(trail: Trail) -> str:
    digest = short_digest(trail.run.run.dataset_digest)
    if trail.dataset is None:
        return f"data     {digest}, its snapshot is gone"
    total = sum(one.size for one in trail.dataset.objects)
    objects = counted(len(trail.dataset.objects), "object")
    return f"data     {digest}: {objects}, {size(total)}, under {trail.dataset.prefix}"


def _run(view: RunView) -> str:
    took = seconds_between(view.run.created_at, view.outcome.ended_at) if view.outcome else None
    reason = f": {view.reason}" if view.reason and view.state != "Succeeded" else ""
    return (
        f"run      {view.run.id} {view.state}{f' after {duration(took)}' if took is not None else ''}{reason}"
    )


def _gate(trail: Trail) -> str:
    metric = str(trail.gate.get("metric", ""))
    value = (trail.version.manifest.metrics if trail.version else trail.run.metrics).get(metric)
    rules = ", ".join(f"{key} {bound}" for key, bound in trail.gate.items() if key != "metric")
    return f"gate     {metric} {'unknown' if value is None else f'{value:.4g}'} ({rules})"


def _version(view: VersionView) -> str:
    state = f"{view.state}: {view.reason}" if view.reason else view.state
    weight = sum(entry.size for entry in view.manifest.files.values())
    files = counted(len(view.manifest.files), "file")
    manifest = view.manifest
    return f"version  {manifest.version}, {state}; {numbers(manifest.metrics)}; {files}, {size(weight)}"


def _newest_run(platform: Platform, model: str) -> str:
    try:
        return find_run(platform, model)
    except NotFound as error:
        raise NotFound(
            f"model {model}: it has neither a version nor a run yet", fix=f"knoll upload {model} PATH"
        ) from error


def _dataset(platform: Platform, uri: str) -> Dataset | None:
    try:
        return load_dataset(platform.store.get(uri))
    except NotFound:
        return None
