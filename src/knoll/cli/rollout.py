"""`knoll rollout`: how far the version on trial is, on which numbers."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from knoll.cli.completion import complete_models
from knoll.cli.failures import FAILURE
from knoll.cli.session import Output, OutputOption, TimeoutOption, platform_of, print_json, stdout

if TYPE_CHECKING:
    from knoll.cli.watch import Frame
    from knoll.ports import Platform

__all__ = ["status", "watch_rollout"]


def status(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(help="Name of the model.", autocompletion=complete_models)],
    watch: Annotated[bool, typer.Option("-w", "--watch", help="Follow until the rollout has ended.")] = False,
    timeout: TimeoutOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Show the rollout of a model: step, traffic, evidence, and the reason of every verdict.

    Example: knoll rollout status digits -w --timeout 600

    -w ends with the rollout: exit code 0 if the version was promoted, 1 if it was rolled back or rejected, 3
    if time ran out. JSON: {model, version, phase, champion, step, percent, percentTo: VERSION, evidence:
    {requests, errors, replayed}, waiting, records: [...]}. Next: knoll why MODEL, knoll predict MODEL FILE
    """
    from knoll.cli.rollout_view import is_bad

    platform = platform_of(ctx)
    if watch:
        records = watch_rollout(platform, model, output, timeout).document["records"]
        raise typer.Exit(FAILURE if is_bad(records) else 0)
    frame = _look(platform, model)()
    if output is Output.json:
        print_json(frame.document)
    else:
        stdout().print(frame.picture)


def watch_rollout(platform: "Platform", model: str, output: Output, timeout: float | None) -> "Frame":
    """Show the rollout until it has ended, and return its last picture. Raises TimedOut."""
    from knoll.cli.watch import watch

    return watch(
        _look(platform, model), output, timeout=timeout, waiting_for=f"the rollout of {model} to end"
    )


def _look(platform: "Platform", model: str) -> "Callable[[], Frame]":
    from knoll.cli.rollout_view import read_rollout, record_line, rollout_document, rollout_picture
    from knoll.cli.watch import Frame

    def look() -> Frame:
        view = read_rollout(platform, model)
        waiting = (f"Waiting: {view.coming}",) if view.coming else ()
        lines = (*(record_line(one) for one in view.records), *waiting)
        return Frame(rollout_picture(view), lines, rollout_document(view), view.is_over)

    return look
