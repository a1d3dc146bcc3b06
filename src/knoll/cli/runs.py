"""`knoll runs`: the trainings, live if wanted."""

from typing import TYPE_CHECKING, Annotated

import typer

from knoll.cli.arguments import OneModelArgument
from knoll.cli.options import Output, OutputOption, TimeoutOption
from knoll.cli.session import platform_of, print_json, say, stdout
from knoll.exits import FAILURE, SUCCEEDED

if TYPE_CHECKING:
    from knoll.ports import Platform
    from knoll.views.run import RunView
    from knoll.views.runs import RunsView

__all__ = ["runs", "watch_runs"]

_WatchOption = Annotated[bool, typer.Option("-w", "--watch", help="Follow until the newest run has ended.")]


def runs(
    ctx: typer.Context,
    model: OneModelArgument = "",
    watch: _WatchOption = False,
    timeout: TimeoutOption = None,
    limit: Annotated[int, typer.Option(min=1, help="Show the newest runs, this many in all.")] = 20,
    output: OutputOption = Output.table,
) -> None:
    """List the runs, newest first, with progress, time left and metrics.

    Example: knoll runs digits -w --timeout 600

    If data has no run yet, a line "Waiting for MODEL" says what is missing. With -w, a terminal also shows
    the losses of live runs. The command ends when the newest run ends (in JSON `newest`); the exit code is
    1 if that run was rejected or failed. If data returns, its old run counts as the newest. Unknown: nothing
    goes on with the run, and it has no outcome that counts; `outcomeFault` says why.

    If a run made a version, STATE also says what became of it. Refused: the gate refused it. Held: it waits
    for approval. RolledBack: its trial has failed. Damaged: its bytes have changed. In JSON, `state` is about
    the training alone, and `verdict` about the version: Promoted, OnTrial, Refused, Held, RolledBack,
    Damaged, or empty before a rollout has looked.

    JSON: {"runs": [{run, model, state, reason, outcomeFault, verdict, verdictReason, progressPercentage,
    estimatedRemainingSeconds, metrics, golden, version, datasetDigest, createdAt, endedAt, wait: {for,
    have, need, since, until, ends}, reading: {files, ofFiles, bytes, ofBytes}, steps: {step, ofSteps,
    epoch, examplesPerSecond, dataWaitShare}, attempt, resumedStep, leftOut: [{reason, count, examples}],
    seed, warnings}], "waiting": [{model, reason, wait}], "newest": RUN}; with -w one such line per change.
    Next: knoll runs logs RUN, knoll rollout status MODEL -w
    """
    from knoll.views.models import find_model
    from knoll.views.runs import RunsView, look_at_runs

    platform = platform_of(ctx)
    if watch:
        last = watch_runs(platform, model, output, timeout, limit)
        raise typer.Exit(SUCCEEDED if last.state == "Succeeded" else FAILURE)
    view = look_at_runs(platform, model, limit, RunsView())
    if model and not view.runs and not view.left_out:
        find_model(platform, model)
    _show(ctx, view, platform, output)


def _show(ctx: typer.Context, view: "RunsView", platform: "Platform", output: Output) -> None:
    from knoll.cli.render.runs import runs_picture
    from knoll.views.runs import runs_document

    if output is not Output.json:
        stdout().print(runs_picture(view, platform.clock.now()))
        return
    print_json(runs_document(view))
    if view.left_out:
        say(ctx, view.left_out)


def watch_runs(
    platform: "Platform", model: str, output: Output, timeout: float | None, limit: int = 20
) -> "RunView":
    """Show the runs until the newest has ended, and return it. Raises TimedOut."""
    from knoll.cli.render.runs import live_picture, runs_lines
    from knoll.cli.watch import Frame, watch
    from knoll.views.models import find_model
    from knoll.views.runs import RunsView, look_at_runs, runs_document

    if model:
        find_model(platform, model)
    before = RunsView()

    def look() -> "RunsView":
        nonlocal before
        before = look_at_runs(platform, model, limit, before)
        return before

    def show(view: "RunsView") -> Frame:
        picture = live_picture(view, platform.clock.now())
        return Frame(picture, runs_lines(view), runs_document(view), view.is_over)

    what = f"a run of {model or 'any model'} to end"
    newest = watch(look, show, output, timeout=timeout, waiting_for=what).newest
    assert newest is not None  # else it would not be over
    return newest
