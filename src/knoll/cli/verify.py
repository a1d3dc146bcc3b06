"""`knoll verify`: whether a version is what was trained."""

import typer

from knoll.cli.arguments import ModelArgument, VersionArgument
from knoll.cli.options import Output, OutputOption
from knoll.cli.session import errors_out, platform_of, print_json, stdout
from knoll.exits import FAILURE

__all__ = ["verify"]


def verify(
    ctx: typer.Context,
    model: ModelArgument,
    version: VersionArgument = "",
    output: OutputOption = Output.table,
) -> None:
    """Check every byte of a version, and every link from its data to what serves.

    Example: knoll verify digits v000002

    The links: each file as the manifest says; the snapshot of the data; the claim, run and outcome that
    made the version; the key that signed it; the pin in the Model's status; the pin of the InferenceService.
    The exit code is 1 if one differs. Files that the manifest does not name are listed, but change nothing:
    nothing reads them.

    JSON: {model, version, manifestSha256, intact, links: [{link, intact, what}]}.
    Next: knoll why MODEL VERSION
    """
    from knoll.cli.render.verification import verification_table
    from knoll.views.verification import verification_document, verify_version

    platform = platform_of(ctx)
    with errors_out().status(f"Reading every byte of {model} {version}".rstrip()):
        found = verify_version(platform, model, version)
    if output is Output.json:
        print_json(verification_document(found))
    else:
        stdout().print(verification_table(found))
    if not found.is_intact:
        raise typer.Exit(FAILURE)
