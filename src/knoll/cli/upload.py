"""`knoll upload`: send a model's data to its bucket, so that the dataset lands once and whole."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from knoll.cli.arguments import ModelArgument
from knoll.cli.grammar import spoken
from knoll.cli.interrupts import leaving
from knoll.cli.options import Output, OutputOption, YesOption
from knoll.cli.output import echo
from knoll.cli.session import platform_of, print_json, program_of, say
from knoll.quantities import counted
from knoll.views.units import size

if TYPE_CHECKING:
    from knoll.cli.upload_plan import UploadPlan
    from knoll.models import Model
    from knoll.ports import Platform
    from knoll.views.follows import Follows

__all__ = ["upload"]

_PathsArgument = Annotated[
    list[Path],
    typer.Argument(metavar="PATH...", help="Files and folders; a folder's files keep their relative paths."),
]
_ReplaceOption = Annotated[
    bool, typer.Option("--replace", help="Also delete objects under the prefix that are not uploaded.")
]
_DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be sent and deleted, and change nothing.")
]


def upload(
    ctx: typer.Context,
    model: ModelArgument,
    paths: _PathsArgument,
    replace: _ReplaceOption = False,
    dry_run: _DryRunOption = False,
    yes: YesOption = False,
    output: OutputOption = Output.table,
) -> None:
    """Upload a model's data. The marker or manifest goes last, so that training starts on whole data.

    Example: knoll upload digits path/to/data --replace

    It first checks folders, archives, pictures, tables, and the classes against those that landed last.
    What is there already is not sent. If this data was trained before, its version becomes the candidate.

    JSON: {model, uri, objects, bytes, deleted, marker, dryRun, unchanged, skipped: [{reason, count,
    examples}], run, version, follows}. Next: knoll runs MODEL -w, knoll data MODEL
    """
    from knoll.cli.upload_check import check_upload
    from knoll.cli.upload_plan import plan_upload
    from knoll.cli.upload_send import find_unchanged, send
    from knoll.views.follows import Follows, read_follows

    platform = platform_of(ctx)
    declared = _declared(platform, model)
    with leaving("Nothing has been sent."):
        plan = plan_upload(declared, paths, platform.store.list(declared.dataset.uri), replace=replace)
        for line in check_upload(declared, plan, platform):
            say(ctx, line)
    _confirm(plan, is_sure=dry_run or yes)
    there = find_unchanged(plan) if dry_run else frozenset[str]()
    unchanged = len(there) if dry_run else send(platform, declared, plan)
    follows = Follows() if dry_run else read_follows(platform, declared)
    if output is Output.json:
        print_json(_document(declared, plan, unchanged, follows, dry_run=dry_run))
    elif dry_run:
        _tell_plan(plan, there)
    else:
        _tell(declared, plan, unchanged, follows, program_of(ctx))


def _declared(platform: "Platform", name: str) -> "Model":
    from knoll.models import parse_model
    from knoll.views.models import find_model

    return parse_model(find_model(platform, name).document)


def _confirm(plan: "UploadPlan", *, is_sure: bool) -> None:
    if is_sure or not plan.stale:
        return
    more = [f"  and {len(plan.stale) - 5} more"] if len(plan.stale) > 5 else []
    shown = (f"  {uri}" for uri in plan.stale[:5])
    echo(f"--replace deletes {counted(len(plan.stale), 'object')}:", *shown, *more, err=True)
    typer.confirm("Delete them?", abort=True, err=True)


def _document(
    model: "Model", plan: "UploadPlan", unchanged: int, follows: "Follows", *, dry_run: bool
) -> dict[str, Any]:
    sent = {
        "objects": len(plan.items),
        "bytes": plan.total,
        "deleted": len(plan.stale),
        "marker": plan.marker,
    }
    skipped = [asdict(one) for one in plan.skipped]
    beside = {"dryRun": dry_run, "unchanged": unchanged, "skipped": skipped}
    led_to = {"run": follows.run, "version": follows.version, "follows": follows.words}
    return {"model": model.name, "uri": model.dataset.uri, **sent, **beside, **led_to}


def _tell_plan(plan: "UploadPlan", there: frozenset[str]) -> None:
    for item in plan.items:
        if item.uri not in there:
            echo(f"would upload {item.path} to {item.uri} ({size(item.size)})")
    if there:
        echo(f"would not send what is there already: {counted(len(there), 'file')}")
    for uri in plan.stale:
        echo(f"would delete {uri}")


def _tell(model: "Model", plan: "UploadPlan", unchanged: int, follows: "Follows", program: str) -> None:
    deleted = f", deleted {len(plan.stale)}" if plan.stale else ""
    same = f", {unchanged} of them were there already" if unchanged else ""
    files = f"{counted(len(plan.items), 'file')}, {size(plan.total)}"
    echo(f"Uploaded {files}, to {model.dataset.uri}{same}{deleted}.")
    echo(_consequence(model, follows), spoken(program, _next(model, follows)))


def _next(model: "Model", follows: "Follows") -> str:
    name = model.name
    commands = (
        f"knoll rollout status {name}, knoll data {name}" if follows.version else f"knoll runs {name} -w"
    )
    return f"Next: {commands}"


def _consequence(model: "Model", follows: "Follows") -> str:
    from knoll.models.units import as_duration

    rule = model.dataset.landed
    quiet = f"when no object was written for {as_duration(rule.quiet)}."
    new = "Training starts at once."
    if not follows.run:
        new = (
            "If the data is new, training starts at once; else the version that was trained on it comes back."
        )
    match rule.when:
        case "marker":
            return f"The marker is written, so the data has landed. {follows.words or new}"
        case "manifest":
            written = (
                f"The manifest {rule.manifest} is written. The data has landed as soon as every sha256 is"
            )
            return f"{written} checked. {follows.words}".rstrip()
        case "quiet":
            return f"The data lands {quiet} {follows.words}" if follows.words else f"Training starts {quiet}"
        case "object":
            return "Each new file is a dataset of its own, and gets a training of its own."
