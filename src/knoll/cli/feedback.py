"""`knoll feedback`: tell a model what its answers should have been."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from knoll.cli.arguments import ModelArgument
from knoll.cli.options import Output, OutputOption
from knoll.cli.output import echo
from knoll.cli.session import errors_out, platform_of, print_json
from knoll.exits import FAILURE

if TYPE_CHECKING:
    from knoll.cli.feedback_file import Told

__all__ = ["feedback"]


def feedback(
    ctx: typer.Context,
    model: ModelArgument,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help="CSV with an id and a label on each line.", dir_okay=False, exists=True
        ),
    ] = None,
    id: Annotated[str, typer.Option("--id", help="Id of one answer, in place of a file.")] = "",
    label: Annotated[
        list[str] | None,
        typer.Option("--label", help="Its true label; once for each prediction of the answer."),
    ] = None,
    output: OutputOption = Output.table,
) -> None:
    """Tell a model the true labels of its answers, so that its versions are counted as right or wrong.

    Example: knoll feedback digits labels.csv; knoll feedback digits --id ID --label 7

    The id of an answer is its header x-knoll-prediction; `knoll predict -o json` prints it. Each id counts
    once, for 30 days. A line of the file may have several labels, one for each prediction; if one is not
    known, leave it empty. Lines that do not count are named with the reason, and then the exit code is 1.

    JSON: {model, counted, right, wrong, refused: [{line, status, error}]}. Next: knoll rollout status MODEL
    """
    from knoll.cli.feedback_file import read_lines, tell

    if (file is None) == (not id) or bool(id) != bool(label):
        raise typer.BadParameter("give a FILE, or --id and --label", param_hint="FILE")
    lines = read_lines(file) if file else {1: (id, label or [])}
    found = tell(platform_of(ctx), model, lines)
    if output is Output.json:
        print_json({"model": model, **vars(found)})
    else:
        _print(found, is_file=file is not None)
    if found.refused:
        raise typer.Exit(FAILURE)


def _print(found: "Told", *, is_file: bool) -> None:
    echo(f"Counted {found.right + found.wrong} labels: {found.right} right, {found.wrong} wrong")
    for one in found.refused:
        place = f"line {one['line']}: " if is_file else ""
        errors_out().print(f"{place}{one['error']}")
