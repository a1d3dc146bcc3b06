"""`knoll why`: where a version comes from, and why it serves or does not."""

import typer

from knoll.cli.arguments import ModelArgument, VersionArgument
from knoll.cli.options import Output, OutputOption
from knoll.cli.session import platform_of, print_json, say, stdout

__all__ = ["why"]


def why(
    ctx: typer.Context,
    model: ModelArgument,
    version: VersionArgument = "",
    output: OutputOption = Output.table,
) -> None:
    """Show how a version came to be and what became of it, with all numbers: event, data, run, gate,
    comparison, rollout steps, verdict.

    Example: knoll why digits v000002

    The event is the upload's. If a tick saw the data before that event was handled, the tick opened the run.
    Each step lists the arms judged so far: E with its bound, L with its bound if the arm can pass, and the
    amount of evidence.

    JSON: {model, event, openedBy, data: {digest, uri, objects, bytes, landedAt}, run, gate, checks: {NAME:
    {value, champion, atLeast, atMost, maxRegression, fault}}, version, comparison, rollout: [{..., verdict:
    {ARM: {e, failAt, support, passAt, judged, margin, asked}}}], verdict: {version, verdict, reason}|null}.
    Next: knoll runs logs RUN, knoll rollout status MODEL
    """
    from knoll.cli.render.trail import trail_tree
    from knoll.views.trail import read_trail, trail_document

    trail = read_trail(platform_of(ctx), model, version)
    if output is Output.json:
        print_json(trail_document(trail))
    else:
        stdout().print(trail_tree(trail))
    if trail.left_out:
        say(ctx, trail.left_out)
