"""`knoll rollout pause`, `promote` and the other verbs that steer a rollout.

Each leaves a wish on the Model, which the rollout function grants or refuses. So they are the same on a
laptop and on a cluster, and need no way to the function.
"""

from typing import Annotated

import typer

from knoll.cli.arguments import ModelArgument
from knoll.cli.completion import complete_versions
from knoll.cli.options import AnswerTimeOption, DryRunOption, Output, OutputOption, WaitOption
from knoll.cli.wish import Manner, steer

__all__ = ["abort", "approve", "pause", "promote", "resume", "retry", "undo"]

_PATIENCE = 30.0
_WantedArgument = Annotated[
    str, typer.Argument(metavar="VERSION", help="The version.", autocompletion=complete_versions)
]


def pause(
    ctx: typer.Context,
    model: ModelArgument,
    wait: WaitOption = True,
    timeout: AnswerTimeOption = _PATIENCE,
    dry_run: DryRunOption = False,
    output: OutputOption = Output.table,
) -> None:
    """Hold the rollout at its percentage. Requests still count, and a version that fails is rolled back.

    Example: knoll rollout pause digits

    JSON: {model, verb, version, id, result: wanted|granted|refused|lost, reason, dryRun}.
    Next: knoll rollout resume MODEL
    """
    steer(ctx, model, "pause", Manner(wait, timeout, dry_run, output))


def resume(
    ctx: typer.Context,
    model: ModelArgument,
    wait: WaitOption = True,
    timeout: AnswerTimeOption = _PATIENCE,
    dry_run: DryRunOption = False,
    output: OutputOption = Output.table,
) -> None:
    """Let a paused rollout go on.

    Example: knoll rollout resume digits

    JSON: {model, verb, version, id, result: wanted|granted|refused|lost, reason, dryRun}.
    Next: knoll rollout status MODEL -w
    """
    steer(ctx, model, "resume", Manner(wait, timeout, dry_run, output))


def promote(
    ctx: typer.Context,
    model: ModelArgument,
    full: Annotated[
        bool, typer.Option("--full", help="Skip all steps: the version gets all traffic, and bakes.")
    ] = False,
    wait: WaitOption = True,
    timeout: AnswerTimeOption = _PATIENCE,
    dry_run: DryRunOption = False,
    output: OutputOption = Output.table,
) -> None:
    """Take the next step of the rollout now, without waiting for requests. During the bake, promote the
    version now.

    Example: knoll rollout promote digits --full

    JSON: {model, verb, version, id, result: wanted|granted|refused|lost, reason, dryRun}.
    Next: knoll rollout status MODEL -w
    """
    steer(ctx, model, "promote", Manner(wait, timeout, dry_run, output), is_full=full)


def abort(
    ctx: typer.Context,
    model: ModelArgument,
    wait: WaitOption = True,
    timeout: AnswerTimeOption = _PATIENCE,
    dry_run: DryRunOption = False,
    output: OutputOption = Output.table,
) -> None:
    """Roll the version on trial back now. It goes into quarantine, and is not tried again by itself.

    Example: knoll rollout abort digits

    JSON: {model, verb, version, id, result: wanted|granted|refused|lost, reason, dryRun}.
    Next: knoll rollout retry MODEL VERSION
    """
    steer(ctx, model, "abort", Manner(wait, timeout, dry_run, output))


def undo(
    ctx: typer.Context,
    model: ModelArgument,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="VERSION",
            help="Default: the version that served before.",
            autocompletion=complete_versions,
        ),
    ] = "",
    wait: WaitOption = True,
    timeout: AnswerTimeOption = _PATIENCE,
    dry_run: DryRunOption = False,
    output: OutputOption = Output.table,
) -> None:
    """Bring an earlier version back. It goes through the steps of a rollout, without the gate.

    Example: knoll rollout undo digits --to v000003

    What it replaces does not come back by itself until the data or the config ask for another version.

    JSON: {model, verb, version, id, result: wanted|granted|refused|lost, reason, dryRun}.
    Next: knoll rollout status MODEL -w
    """
    steer(ctx, model, "undo", Manner(wait, timeout, dry_run, output), to)


def retry(
    ctx: typer.Context,
    model: ModelArgument,
    version: _WantedArgument,
    wait: WaitOption = True,
    timeout: AnswerTimeOption = _PATIENCE,
    dry_run: DryRunOption = False,
    output: OutputOption = Output.table,
) -> None:
    """Take a version out of quarantine and try it again. The gate is asked again, too.

    Example: knoll rollout retry digits v000002

    JSON: {model, verb, version, id, result: wanted|granted|refused|lost, reason, dryRun}.
    Next: knoll rollout status MODEL -w
    """
    steer(ctx, model, "retry", Manner(wait, timeout, dry_run, output), version)


def approve(
    ctx: typer.Context,
    model: ModelArgument,
    version: _WantedArgument,
    wait: WaitOption = True,
    timeout: AnswerTimeOption = _PATIENCE,
    dry_run: DryRunOption = False,
    output: OutputOption = Output.table,
) -> None:
    """Let a version that waits for approval get traffic.

    Example: knoll rollout approve digits v000002

    JSON: {model, verb, version, id, result: wanted|granted|refused|lost, reason, dryRun}.
    Next: knoll rollout status MODEL -w
    """
    steer(ctx, model, "approve", Manner(wait, timeout, dry_run, output), version)
