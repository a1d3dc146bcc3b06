"""`knoll runs curve`: the losses of a run, drawn in the terminal."""

from typing import Annotated

import typer

from knoll.cli.completion import complete_runs
from knoll.cli.options import Output, OutputOption
from knoll.cli.output import echo
from knoll.cli.session import platform_of, print_json, stdout

__all__ = ["curve"]

_WIDEST = 80


def curve(
    ctx: typer.Context,
    run: Annotated[
        str,
        typer.Argument(
            help="Run id, a unique prefix of one, or a model for its newest run.",
            autocompletion=complete_runs,
        ),
    ],
    output: OutputOption = Output.table,
) -> None:
    """Draw the losses of a run over its training, also while it goes on.

    Example: knoll runs curve digits

    The trainer notes a point a second; of a long run it keeps at most 128. JSON: {run, points:
    [{progressPercentage, losses}]}. Next: knoll runs logs RUN, knoll why MODEL
    """
    from knoll.cli.render.curve import curve_lines
    from knoll.views.curve import curve_document, read_curve
    from knoll.views.ids import find_run_id

    platform = platform_of(ctx)
    found = read_curve(platform, find_run_id(platform, run))
    if output is Output.json:
        print_json(curve_document(found))
    else:
        echo(*curve_lines(found, min(stdout().width, _WIDEST)))
