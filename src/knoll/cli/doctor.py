"""`knoll doctor`: what is wrong with the platform, and what helps."""

import typer

from knoll.cli.failures import FAILURE
from knoll.cli.options import Output, OutputOption
from knoll.cli.session import errors_out, platform_of, print_json, say, stdout

__all__ = ["doctor"]


def doctor(ctx: typer.Context, output: OutputOption = Output.table) -> None:
    """Find what is wrong with the platform. Nothing is changed.

    Example: knoll doctor

    It names each object of the model bucket that is not what its place asks for; such objects are passed
    over. Exit code 1 if anything is found. JSON: {"well", "findings": [{place, what, fix}]}.
    Next: knoll models
    """
    from knoll.cli.render.doctor import doctor_lines, well_words
    from knoll.views.doctor import CHECKS, doctor_document, examine

    platform = platform_of(ctx)
    with errors_out().status("Looking at the platform"):
        findings = examine(platform)
    if output is Output.json:
        print_json(doctor_document(findings))
    elif findings:
        for line in doctor_lines(findings):
            stdout().print(line)
    else:
        say(ctx, well_words(CHECKS))
    if findings:
        raise typer.Exit(FAILURE)
