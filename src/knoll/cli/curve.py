"""`knoll runs curve`: the losses of a run, drawn in the terminal."""

import typer

from knoll.cli.arguments import RunArgument
from knoll.cli.options import Output, OutputOption
from knoll.cli.output import echo
from knoll.cli.session import platform_of, print_json, stdout

__all__ = ["curve"]

_WIDEST = 80


def curve(
    ctx: typer.Context,
    run: RunArgument,
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
