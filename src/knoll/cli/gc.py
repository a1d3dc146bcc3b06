"""`knoll gc`: room in the model bucket, without anything that is served or may be wanted back."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from knoll.cli.bars import progress
from knoll.cli.completion import complete_models
from knoll.cli.session import (
    Output,
    OutputOption,
    YesOption,
    errors_out,
    platform_of,
    print_json,
    say,
    stdout,
)
from knoll.cli.tables import plain_table
from knoll.cli.units import age, counted, size

if TYPE_CHECKING:
    from datetime import datetime

    from knoll.ports import Platform
    from knoll.retention.folders import Folder
    from knoll.retention.plan import Plan

__all__ = ["gc"]

_REASONS = 8  # that are told apart in words
_HEADINGS = ("KIND", "MODEL", "NAME", "SIZE", "AGE", "WHY")


def gc(
    ctx: typer.Context,
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL", help="Only these models; default all.", autocompletion=complete_models
        ),
    ] = None,
    keep: Annotated[
        int, typer.Option(min=1, help="Keep this many of the newest versions of each model.")
    ] = 10,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be removed and why, and change nothing.")
    ] = False,
    yes: YesOption = False,
    output: OutputOption = Output.table,
) -> None:
    """Remove old versions that nothing uses, and what killed runs have left for more than a day.

    Example: knoll gc digits --keep 5 --dry-run

    Never removed: what serves, is on trial, served before, waits to be tried, or is named by the Model, an
    InferenceService or a Revision; the newest N; versions of runs that are not settled. Records of runs and
    rollouts stay, too. JSON: {"dryRun", "keep", "bytes", "objects", "removed": [{kind:
    version|files|inbox|progress, model, name, bytes, reason}], "kept": [{kind, model, name, bytes, reason}]}.
    Next: knoll versions MODEL
    """
    from knoll.retention.plan import make_plan

    platform = platform_of(ctx)
    with errors_out().status("Looking at the bucket"):
        plan = make_plan(platform, models or [], keep)
    if output is Output.table and plan.objects:
        stdout().print(plain_table(_HEADINGS, _rows(plan, platform.clock.now())))
    if plan.objects and not dry_run and not yes:
        typer.confirm(f"Remove {counted(plan.objects, 'object')}, {size(plan.bytes)}?", abort=True, err=True)
    stayed = [] if dry_run else _removed(plan, platform)
    if output is Output.json:
        print_json(_document(plan, stayed, keep, dry_run=dry_run))
    else:
        say(ctx, _words(plan, stayed, dry_run=dry_run))


def _removed(plan: "Plan", platform: "Platform") -> "list[Folder]":
    from knoll.retention.removal import remove

    with progress("Removing", plan.objects) as advance:
        return remove(plan, platform, advance)


def _rows(plan: "Plan", now: "datetime") -> Iterator[tuple[str, ...]]:
    for verdict in plan.verdicts:
        one = verdict.folder
        if verdict.is_removed:
            yield (
                _kind(one),
                one.model,
                one.version,
                size(one.size),
                age(one.newest.isoformat(), now),
                verdict.reason,
            )
    for left in plan.leftovers:
        yield (
            left.kind,
            left.model,
            left.run,
            size(left.size),
            age(left.modified.isoformat(), now),
            left.reason,
        )


def _kind(folder: "Folder") -> str:
    return "version" if folder.is_version else "files"


def _document(plan: "Plan", stayed: "list[Folder]", keep: int, *, dry_run: bool) -> dict[str, Any]:
    removed = [
        _told(_kind(one), one.model, one.version, one.size, why)
        for one, why in _judged(plan, stayed, is_removed=True)
    ]
    removed += [_told(one.kind, one.model, one.run, one.size, one.reason) for one in plan.leftovers]
    kept = [
        _told(_kind(one), one.model, one.version, one.size, why)
        for one, why in _judged(plan, stayed, is_removed=False)
    ]
    objects, freed = _amounts(plan, stayed)
    return {
        "dryRun": dry_run,
        "keep": keep,
        "bytes": freed,
        "objects": objects,
        "removed": removed,
        "kept": kept,
    }


def _judged(plan: "Plan", stayed: "list[Folder]", *, is_removed: bool) -> "Iterator[tuple[Folder, str]]":
    for one in plan.verdicts:
        is_late = one.folder in stayed
        if (one.is_removed and not is_late) == is_removed:
            yield one.folder, "used since it was decided" if is_late else one.reason


def _told(kind: str, model: str, name: str, bytes: int, reason: str) -> dict[str, Any]:
    return {"kind": kind, "model": model, "name": name, "bytes": bytes, "reason": reason}


def _amounts(plan: "Plan", stayed: "list[Folder]") -> tuple[int, int]:
    """Objects and bytes that go."""
    return plan.objects - sum(one.files for one in stayed), plan.bytes - sum(one.size for one in stayed)


def _words(plan: "Plan", stayed: "list[Folder]", *, dry_run: bool) -> str:
    objects, freed = _amounts(plan, stayed)
    kept = Counter(why for _, why in _judged(plan, stayed, is_removed=False))
    told = ", ".join(f"{count} × {why}" for why, count in kept.most_common(_REASONS))
    more = ", …" if len(kept) > _REASONS else ""
    lines = [f"{'Would remove' if dry_run else 'Removed'} {counted(objects, 'object')}, {size(freed)}."]
    return "\n".join(
        [
            *(lines if plan.objects else ["Nothing is superfluous."]),
            *([f"Kept {told}{more}."] if kept else []),
        ]
    )
