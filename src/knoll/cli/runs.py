"""`knoll runs`: the trainings, live if wanted, and their logs."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group

from knoll.cli.completion import complete_models, complete_runs
from knoll.cli.failures import FAILURE
from knoll.cli.session import Output, OutputOption, TimeoutOption, platform_of, print_json, stdout
from knoll.cli.tables import plain_table
from knoll.errors import NotFound

if TYPE_CHECKING:
    from knoll.cli.run_logs import Logs
    from knoll.cli.run_view import RunView
    from knoll.cli.watch import Frame
    from knoll.ports import Platform

__all__ = ["logs", "run_is_over", "runs", "watch_runs"]

_ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="Only runs of this model.", autocompletion=complete_models)
]
_WatchOption = Annotated[bool, typer.Option("-w", "--watch", help="Follow until the newest run has ended.")]


def runs(
    ctx: typer.Context,
    model: _ModelArgument = "",
    watch: _WatchOption = False,
    timeout: TimeoutOption = None,
    limit: Annotated[int, typer.Option(min=1, help="Show this many of the newest runs.")] = 20,
    output: OutputOption = Output.table,
) -> None:
    """List the runs, newest first, with progress, time left and metrics.

    Example: knoll runs digits -w --timeout 600

    -w ends with the newest run: exit code 1 if it was rejected or failed. JSON: {"runs": [{run, model, state,
    reason, progressPercentage, estimatedRemainingSeconds, metrics, version, datasetDigest, createdAt,
    endedAt}], "waiting": [{model, reason}], "newest": RUN}; with -w one such line per change.
    Next: knoll runs logs RUN, knoll rollout status MODEL -w
    """
    from knoll.cli.model_view import find_model

    platform = platform_of(ctx)
    if watch:
        last = watch_runs(platform, model, output, timeout, limit)
        raise typer.Exit(0 if last.state == "Succeeded" else FAILURE)
    frame = _look(platform, model, limit)()
    if model and not frame.document["runs"]:
        find_model(platform, model)
    if output is Output.json:
        print_json(frame.document)
    else:
        stdout().print(frame.picture)


def logs(
    ctx: typer.Context,
    run: Annotated[
        str,
        typer.Argument(
            help="Run id, a unique prefix of one, or a model for its newest run.",
            autocompletion=complete_runs,
        ),
    ],
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until the run has ended.")] = False,
    output: OutputOption = Output.table,
) -> None:
    """Print what the trainer of a run wrote, attempt by attempt.

    Example: knoll runs logs digits -f

    Of several Pods each line names its own. JSON: {"run", "logs": [{"path", "text"}]}; on a cluster `path` is
    the Pod. Next: knoll why MODEL
    """
    from knoll.cli.run_view import find_run

    platform = platform_of(ctx)
    id = find_run(platform, run)
    found = _logs(platform, id)
    read = [] if follow and output is Output.table else found.read()
    if output is Output.json:
        print_json({"run": id, "logs": [{"path": path, "text": text} for path, text in read]})
        return
    if not read and not follow:
        raise NotFound(
            f"run {id}: it has no log, or none is left",
            fix="knoll runs shows how far it is; knoll runs logs RUN -f waits for it",
        )
    for text in found.follow(lambda: run_is_over(platform, id)) if follow else (text for _, text in read):
        sys.stdout.write(text)
        sys.stdout.flush()


def watch_runs(
    platform: "Platform", model: str, output: Output, timeout: float | None, limit: int = 20
) -> "RunView":
    """Show the runs until the newest has ended, and return it. Raises TimedOut."""
    from knoll.cli.model_view import find_model
    from knoll.cli.run_view import read_run
    from knoll.cli.watch import watch

    if model:
        find_model(platform, model)
    frame = watch(
        _look(platform, model, limit),
        output,
        timeout=timeout,
        waiting_for=f"a run of {model or 'any model'} to end",
    )
    return read_run(platform, frame.document["newest"])


def run_is_over(platform: "Platform", id: str) -> bool:
    """Whether a run has ended."""
    from knoll.cli.run_view import read_run

    return read_run(platform, id).is_over


def _look(platform: "Platform", model: str, limit: int) -> "Callable[[], Frame]":
    from knoll.cli.gate_view import expected_runs
    from knoll.cli.run_view import RUN_HEADINGS, read_runs, run_document, run_line, run_row
    from knoll.cli.watch import Frame
    from knoll.models import readable_models

    known: dict[str, RunView] = {}

    def look() -> Frame:
        documents = [one for one in platform.cluster.list("Model") if model in ("", one["metadata"]["name"])]
        expected = expected_runs(platform, readable_models(documents))
        views = read_runs(platform, model, limit, known=known, also=[one.run for one in expected])
        known.update({view.run.id: view for view in views})
        missing = [one for one in expected if one.run not in known and (one.run or model or not views)]
        newest = _newest(views, [one.run for one in expected])
        waiting = [f"{one.model}: {one.reason}" for one in missing]
        table = plain_table(RUN_HEADINGS, (run_row(view, platform.clock.now()) for view in views))
        return Frame(
            picture=Group(
                *([table] if views else ["No runs yet."]), *(f"Waiting for {line}" for line in waiting)
            ),
            lines=(*(run_line(view) for view in views), *(f"Waiting for {line}" for line in waiting)),
            document={
                "runs": [run_document(view) for view in views],
                "waiting": [{"model": one.model, "reason": one.reason} for one in missing],
                "newest": newest.run.id if newest else "",
            },
            is_final=newest is not None and newest.is_over and not missing,
        )

    return look


def _newest(views: "list[RunView]", expected: list[str]) -> "RunView | None":
    """The run of the data that lies in the bucket, else the newest record: going back to earlier data makes
    no new run."""
    of_data = [view for view in views if view.run.id in expected]
    return next(iter(of_data or views), None)


def _logs(platform: "Platform", id: str) -> "Logs":
    from knoll.cli.run_logs import FileLogs, PodLogs

    if platform.settings.cluster == "kubernetes":
        from knoll.wiring.kubernetes import kubernetes_cluster

        return PodLogs(kubernetes_cluster(platform.settings), id)
    from knoll.laptop.jobs.runner import job_logs

    return FileLogs(lambda: job_logs(platform.settings.home / "logs" / "jobs", id))
