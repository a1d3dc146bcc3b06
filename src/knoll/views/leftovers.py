"""What `knoll gc` removes from the model bucket, what it keeps, and why."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from knoll.retention.folders import VersionFiles
from knoll.retention.plan import RemovalPlan

__all__ = ["LeftoverView", "LeftoversView", "leftovers_document", "leftovers_view"]

_USED = "used since it was decided"


@dataclass(frozen=True)
class LeftoverView:
    """A version, the files of a killed run, or records. `kind` is version, files, inbox, progress,
    checkpoint, log or recorded, `name` a version, a run or the id of a request, `size` in bytes."""

    kind: str
    model: str
    name: str
    objects: int
    size: int
    newest: datetime
    reason: str


@dataclass(frozen=True)
class LeftoversView:
    """What goes and what stays."""

    removed: Sequence[LeftoverView]
    kept: Sequence[LeftoverView]

    @property
    def objects(self) -> int:
        """How many objects go."""
        return sum(one.objects for one in self.removed)

    @property
    def size(self) -> int:
        """How many bytes go."""
        return sum(one.size for one in self.removed)


def leftovers_view(plan: RemovalPlan, stayed: Collection[VersionFiles] = ()) -> LeftoversView:
    """The view of a plan. `stayed` are folders that were not removed after all, because they are used now."""
    removed: list[LeftoverView] = []
    kept: list[LeftoverView] = []
    for verdict in plan.verdicts:
        is_late = verdict.folder in stayed
        item = _folder_item(verdict.folder, _USED if is_late else verdict.reason)
        (removed if verdict.is_removed and not is_late else kept).append(item)
    return LeftoversView([*removed, *_record_items(plan)], kept)


def leftovers_document(view: LeftoversView, keep: int, *, dry_run: bool) -> dict[str, Any]:
    """The view as `-o json` shows it."""
    return {
        "dryRun": dry_run,
        "keep": keep,
        "bytes": view.size,
        "objects": view.objects,
        "removed": [_item_document(one) for one in view.removed],
        "kept": [_item_document(one) for one in view.kept],
    }


def _folder_item(one: VersionFiles, reason: str) -> LeftoverView:
    kind = "version" if one.is_version else "files"
    return LeftoverView(kind, one.model, one.version, one.files, one.size, one.newest, reason)


def _record_items(plan: RemovalPlan) -> Iterator[LeftoverView]:
    for one in plan.leftovers:
        yield LeftoverView(one.kind, one.model, one.name, one.objects, one.size, one.modified, one.reason)


def _item_document(one: LeftoverView) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "model": one.model,
        "name": one.name,
        "bytes": one.size,
        "reason": one.reason,
    }
