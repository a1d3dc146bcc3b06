"""`knoll runs logs`: what the trainer of a run wrote."""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from knoll.cli.arguments import RunArgument
from knoll.cli.interrupts import leaving
from knoll.cli.options import Output, OutputOption
from knoll.cli.output import multiline
from knoll.cli.session import platform_of, print_json
from knoll.errors import NotFound

if TYPE_CHECKING:
    from knoll.ports import Platform
    from knoll.views.run_logs import Logs

__all__ = ["logs"]


def logs(
    ctx: typer.Context,
    run: RunArgument,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until the run has ended.")] = False,
    output: OutputOption = Output.table,
) -> None:
    """Print what the trainer of a run wrote, attempt by attempt.

    Example: knoll runs logs digits -f

    If there are several Pods, each line names its own. When the Pod of an attempt is gone, the end of its log
    is there for 30 days after the run. JSON: {"run", "logs": [{"path", "text"}]}; on a cluster `path` is the
    Pod, or an object of the model bucket. Next: knoll why MODEL
    """
    from knoll.views.ids import find_run_id
    from knoll.views.run import read_run

    platform = platform_of(ctx)
    id = find_run_id(platform, run)
    found = _logs_of(platform, id)
    read = [] if follow and output is Output.table else found.read()
    if output is Output.json:
        print_json({"run": id, "logs": [{"path": path, "text": text} for path, text in read]})
        return
    if not read and not follow:
        raise NotFound(
            f"run {id}: it has no log, or none is left",
            fix="knoll runs shows how far it is; knoll runs logs RUN -f waits for it",
        )
    texts = found.follow(lambda: read_run(platform, id).is_over) if follow else (text for _, text in read)
    _print_texts(id, texts)


def _print_texts(run: str, texts: Iterable[str]) -> None:
    left = f"Run {run} goes on: knoll runs logs {run} -f follows it again, knoll runs shows how far it is."
    with leaving(left):
        for text in texts:
            sys.stdout.write(multiline(text))
            sys.stdout.flush()


def _logs_of(platform: "Platform", id: str) -> "Logs":
    from knoll.views.run_logs import FileLogs, PodLogs, kept_logs

    if platform.settings.cluster == "kubernetes":
        from knoll.wiring.kubernetes import kubernetes_cluster

        return PodLogs(kubernetes_cluster(platform.settings), id, lambda: kept_logs(id, platform))
    from knoll.laptop.jobs.logs import job_logs

    return FileLogs(lambda: job_logs(platform.settings.home / "logs" / "jobs", id))
