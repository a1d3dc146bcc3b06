"""`knoll rollout pause`, `promote` and the other verbs that steer a rollout.

Each leaves a wish on the Model, which the rollout function grants or refuses. So they are the same on a
laptop and on a cluster, and need no way to the function.
"""

from typing import Annotated

import typer

from knoll.cli.arguments import ModelArgument
from knoll.cli.completion import complete_versions
from knoll.cli.manner import Manner, with_manner
from knoll.cli.wish import steer

__all__ = ["abort", "approve", "pause", "promote", "reject", "resume", "retry", "undo"]

_WantedArgument = Annotated[
    str, typer.Argument(metavar="VERSION", help="The version.", autocompletion=complete_versions)
]


@with_manner
def pause(ctx: typer.Context, model: ModelArgument, manner: Manner) -> None:
    """Hold the rollout at its percentage. Requests still count, and a version that fails is rolled back.

    Example: knoll rollout pause digits

    JSON: {model, verb, version, id, result: wanted|granted|refused|lost, reason, dryRun}.
    Next: knoll rollout resume MODEL
    """
    steer(ctx, model, "pause", manner)


@with_manner
def resume(ctx: typer.Context, model: ModelArgument, manner: Manner) -> None:
    """Let a paused rollout go on. If somebody has changed the InferenceService, the change is undone.

    Example: knoll rollout resume digits

    JSON: {model, verb, version, id, result: wanted|granted|refused|lost, reason, dryRun}.
    Next: knoll rollout status MODEL -w
    """
    steer(ctx, model, "resume", manner)


@with_manner
def promote(
    ctx: typer.Context,
    model: ModelArgument,
    manner: Manner,
    full: Annotated[
        bool, typer.Option("--full", help="Skip all steps: the version gets all traffic, and bakes.")
    ] = False,
) -> None:
    """Take the next step of the rollout now, without waiting for requests. During the bake, promote the
    version now.

    Example: knoll rollout promote digits --full

    A rollout that is paused stays paused in its next step.

    JSON: {model, verb, version, id, result: wanted|granted|refused|lost, reason, dryRun}.
    Next: knoll rollout status MODEL -w
    """
    steer(ctx, model, "promote", manner, is_full=full)


@with_manner
def abort(ctx: typer.Context, model: ModelArgument, manner: Manner) -> None:
    """Roll the version on trial back now. It goes into quarantine, and is not tried again by itself.

    Example: knoll rollout abort digits

    JSON: {model, verb, version, id, result: wanted|granted|refused|lost, reason, dryRun}.
    Next: knoll rollout retry MODEL VERSION
    """
    steer(ctx, model, "abort", manner)


@with_manner
def undo(
    ctx: typer.Context,
    model: ModelArgument,
    manner: Manner,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="VERSION",
            help="Default: the version that served before.",
            autocompletion=complete_versions,
        ),
    ] = "",
) -> None:
    """Bring an earlier champion back. It goes through the steps of a rollout, without the gate.

    Example: knoll rollout undo digits --to v000003

    As long as data and config stay as they are, the replaced version is tried again only if you ask for it.

    JSON: {model, verb, version, id, result: wanted|granted|refused|lost, reason, dryRun}.
    Next: knoll rollout status MODEL -w
    """
    steer(ctx, model, "undo", manner, to)


@with_manner
def retry(ctx: typer.Context, model: ModelArgument, version: _WantedArgument, manner: Manner) -> None:
    """Take a version out of quarantine and try it again, if it is undamaged. It must pass the gate again.

    Example: knoll rollout retry digits v000002

    JSON: {model, verb, version, id, result: wanted|granted|refused|lost, reason, dryRun}.
    Next: knoll rollout status MODEL -w
    """
    steer(ctx, model, "retry", manner, version)


@with_manner
def approve(ctx: typer.Context, model: ModelArgument, version: _WantedArgument, manner: Manner) -> None:
    """Let a version that waits for approval get traffic.

    Example: knoll rollout approve digits v000002

    JSON: {model, verb, version, id, result: wanted|granted|refused|lost, reason, dryRun}.
    Next: knoll rollout status MODEL -w
    """
    steer(ctx, model, "approve", manner, version)


@with_manner
def reject(
    ctx: typer.Context,
    model: ModelArgument,
    version: _WantedArgument,
    manner: Manner,
    because: Annotated[
        str, typer.Option("--because", metavar="TEXT", help="Why, in at most 200 characters.")
    ],
) -> None:
    """Refuse a version that waits for approval, is on trial, or is still to be tried. It goes into quarantine
    with the reason.

    Example: knoll rollout reject --because "wrong labels" digits v000002

    JSON: {model, verb, version, id, result: wanted|granted|refused|lost, reason, dryRun}.
    Next: knoll why MODEL VERSION, knoll rollout retry MODEL VERSION
    """
    steer(ctx, model, "reject", manner, version, because=_reason(because))


def _reason(text: str) -> str:
    """The reason, if it says anything and is not too long."""
    from knoll.rollout.wishes import LONGEST_TEXT

    told = text.strip()
    if not 1 <= len(told) <= LONGEST_TEXT:
        words = f"write 1 to {LONGEST_TEXT} characters, not {len(told)}"
        raise typer.BadParameter(words, param_hint="--because")
    return told
