"""`knoll doctor`: what is wrong with the platform, and what helps."""

import uuid
from typing import TYPE_CHECKING, Annotated

import typer

from knoll.cli.options import Output, OutputOption
from knoll.cli.session import errors_out, laptop_settings_of, platform_of, print_json, say, stdout
from knoll.exits import FAILURE

if TYPE_CHECKING:
    from knoll.ports import Platform
    from knoll.views.doctor import Check

__all__ = ["doctor"]


_RepairOption = Annotated[
    bool, typer.Option("--repair", help="Mend a damaged file of documents; the platform must be stopped.")
]
_RebuildOption = Annotated[
    list[str] | None,
    typer.Option(
        "--rebuild",
        metavar="MODEL",
        help="Declare a Model anew, as its newest run asked for it; the platform must be stopped. May be "
        "repeated.",
    ),
]


def doctor(
    ctx: typer.Context,
    repair: _RepairOption = False,
    rebuild: _RebuildOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Find what is wrong with the platform. Only --repair and --rebuild change anything.

    Example: knoll doctor

    It looks at the disk, what a laptop's platform says of its own health, and the file of documents. It
    writes a small object to the store and deletes it. It names each object of the model bucket that does not
    belong where it lies, or that only a newer version of the platform reads; the platform ignores such
    objects. It names each Model if a report of its predictors was not believed in the last day, or if its
    champion is damaged or serves in place of a damaged version. It names each rollout that is paused or waits
    for approval, and each whose InferenceService somebody has changed. If anything is found, the exit code
    is 1. A repair keeps the documents that can be read, and names the Models that have runs and are lost.
    --rebuild brings one back without gate, rollout, serving, dataset.landed and training.concurrency.

    JSON: {"well", "findings": [{place, what, fix}]}; with --repair or --rebuild {damage, keptAt, read,
    rebuilt, lost}. Next: knoll models
    """
    if repair or rebuild:
        _repair(ctx, rebuild or [], output)
        return
    from knoll.cli.render.doctor import doctor_lines, well_words
    from knoll.views.doctor import CHECKS, doctor_document, examine

    platform, checks = platform_of(ctx), (*CHECKS, _check_of_writes())
    with errors_out().status("Looking at the platform"):
        findings = examine(platform, checks)
    if output is Output.json:
        print_json(doctor_document(findings))
    elif findings:
        for line in doctor_lines(findings):
            stdout().print(line)
    else:
        say(ctx, well_words(checks))
    if findings:
        raise typer.Exit(FAILURE)


def _check_of_writes() -> "Check":
    """The one check that writes, so it is no view: an object is written, read and deleted."""
    from knoll.records.probe import try_write
    from knoll.views.doctor import Check

    def try_one(platform: "Platform") -> tuple[()]:
        try_write(platform.bucket, f"doctor-{uuid.uuid4().hex}")
        return ()

    return Check("writes to the store", try_one)


def _repair(ctx: typer.Context, names: list[str], output: Output) -> None:
    from knoll.cli.render.doctor import repair_lines
    from knoll.wiring.repair import repair

    with errors_out().status("Mending the file of documents"):
        done = repair(laptop_settings_of(ctx), sorted({*names}))
    if output is Output.json:
        told = {"damage": done.damage, "keptAt": done.kept_at}
        models = {"rebuilt": list(done.rebuilt), "lost": list(done.lost)}
        print_json(told | {"read": list(done.read)} | models)
        return
    for line in repair_lines(done):
        stdout().print(line)
