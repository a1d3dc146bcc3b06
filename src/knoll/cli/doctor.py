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


def doctor(
    ctx: typer.Context,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend a damaged file of documents; the platform must be stopped.")
    ] = False,
    output: OutputOption = Output.table,
) -> None:
    """Find what is wrong with the platform. Only --repair changes anything.

    Example: knoll doctor

    It looks at the disk and the file of documents. It writes a small object to the store and deletes it. It
    names each object of the model bucket that does not belong where it lies, or that only a newer knoll
    reads; knoll ignores such objects. It names each Model if a report of its predictors was not believed in
    the last day, or if its champion is damaged or serves in place of a damaged version. It names each rollout
    that is paused or waits for approval, and each whose InferenceService somebody has changed. The exit code
    is 1 if anything is found. JSON: {"well", "findings": [{place, what, fix}]}; with --repair {damage,
    keptAt, read, rebuilt}. Next: knoll models
    """
    if repair:
        _repair(ctx, output)
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


def _repair(ctx: typer.Context, output: Output) -> None:
    from knoll.cli.render.doctor import repair_lines
    from knoll.wiring.repair import repair

    with errors_out().status("Mending the file of documents"):
        done = repair(laptop_settings_of(ctx))
    if output is Output.json:
        told = {"damage": done.damage, "keptAt": done.kept_at}
        print_json(told | {"read": list(done.read), "rebuilt": list(done.rebuilt)})
        return
    for line in repair_lines(done):
        stdout().print(line)
