"""`knoll gc`: remove superfluous versions and records from the model bucket."""

from typing import TYPE_CHECKING, Annotated

import typer

from knoll.cli.arguments import ModelsArgument
from knoll.cli.bars import progress
from knoll.cli.options import Output, OutputOption, YesOption
from knoll.cli.session import errors_out, platform_of, print_json, say, stdout
from knoll.quantities import counted
from knoll.views.units import size

if TYPE_CHECKING:
    from knoll.ports import Platform
    from knoll.retention.folders import VersionFiles
    from knoll.retention.plan import RemovalPlan

__all__ = ["gc"]

_KeepOption = Annotated[int, typer.Option(min=1, help="Keep this many of the newest versions of each model.")]
_DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be removed and why, and change nothing.")
]


def gc(
    ctx: typer.Context,
    models: ModelsArgument = None,
    keep: _KeepOption = 10,
    dry_run: _DryRunOption = False,
    yes: YesOption = False,
    output: OutputOption = Output.table,
) -> None:
    """Remove old versions that nothing uses, and files that killed runs left, after one day.

    Example: knoll gc digits --keep 5 --dry-run

    A version is kept if it serves, served just before, is on trial or waits for its trial; if the Model, an
    InferenceService or a Revision names it; if its run is not settled; or if it is among the newest --keep.
    Records of runs and rollouts are always kept. The logs of a run go 30 days after its end. Recorded
    requests go after 30 days, and all of them if no Model asks for them.

    JSON: {"dryRun", "keep", "bytes", "objects", "removed": [{kind:
    version|files|inbox|progress|checkpoint|log|recorded, model, name, bytes, reason}], "kept": [{kind,
    model, name, bytes, reason}]}.
    Next: knoll versions MODEL
    """
    from knoll.cli.render.leftovers import leftovers_table, leftovers_words
    from knoll.retention.plan import make_plan
    from knoll.views.leftovers import leftovers_document, leftovers_view

    platform = platform_of(ctx)
    with errors_out().status("Looking at the bucket"):
        plan = make_plan(platform, models or [], keep)
    if output is Output.table and plan.objects:
        stdout().print(leftovers_table(leftovers_view(plan), platform.clock.now()))
    if plan.objects and not dry_run and not yes:
        typer.confirm(f"Remove {counted(plan.objects, 'object')}, {size(plan.bytes)}?", abort=True, err=True)
    view = leftovers_view(plan, [] if dry_run else _remove(plan, platform))
    if output is Output.json:
        print_json(leftovers_document(view, keep, dry_run=dry_run))
    else:
        say(ctx, leftovers_words(view, dry_run=dry_run, is_any=bool(plan.objects)))


def _remove(plan: "RemovalPlan", platform: "Platform") -> "list[VersionFiles]":
    """Carry out the plan; the folders that stayed after all."""
    from knoll.retention.removal import remove

    with progress("Removing", plan.objects) as advance:
        return remove(plan, platform, advance)
