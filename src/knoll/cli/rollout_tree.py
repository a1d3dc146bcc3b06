"""`knoll rollout`: the rollout of a model as a tree, with the evidence beside its bounds."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from knoll.cli.arguments import ModelArgument
from knoll.cli.options import Output, OutputOption, TimeoutOption
from knoll.cli.session import platform_of, print_json, say, stdout
from knoll.exits import FAILURE, SUCCEEDED

if TYPE_CHECKING:
    from knoll.ports import Platform
    from knoll.views.rollout_tree import RolloutTree

__all__ = ["rollout"]

_WatchOption = Annotated[bool, typer.Option("-w", "--watch", help="Follow until the rollout has ended.")]


def rollout(
    ctx: typer.Context,
    model: ModelArgument,
    watch: _WatchOption = False,
    timeout: TimeoutOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Show the rollout of a model as a tree: the versions with their traffic, the evidence about the one on
    trial beside its bounds, and how many requests and how much time it still needs.

    Example: knoll rollout digits -w

    Each line of evidence is an arm. E is the evidence that the candidate is worse than the champion, L the
    evidence that it is as good. Both begin at 1, and a full bar has reached its bound: at the bound of E the
    candidate is rolled back, at the bound of L it passes. The bars have a log scale. If "suspicion" reaches
    its bound during the bake, the traffic is shared again. "needed" is an estimate from the rate of requests
    since the step began. -w ends with the rollout, with the exit codes of knoll rollout status.

    JSON: what knoll rollout status has, and {steps, since, versions: [{role, version, percent, state}],
    minRequests, inStep, verdict: {outcome, reason, missing, pauses, isSuspected, arms: [{arm, outcome, e,
    failAt, support, passAt, judged, margin, asked, missing}]}|null, suspicion: {e, at}|null, estimate:
    {stepRequests, requests, requestsPerSecond, stepSeconds, seconds}|null}. Next: knoll why MODEL
    """
    from knoll.cli.output import echo
    from knoll.cli.render.rollout_tree import tree_lines, tree_picture
    from knoll.views.rollout_tree import read_rollout_tree, tree_document

    platform = platform_of(ctx)
    if watch:
        last = _watch(platform, model, output, timeout)
        raise typer.Exit(FAILURE if last.rollout.is_bad else SUCCEEDED)
    tree, now = read_rollout_tree(platform, model), platform.clock.now()
    if output is Output.json:
        print_json(tree_document(tree))
    elif sys.stdout.isatty():
        stdout().print(tree_picture(tree, now))
    else:
        echo(*tree_lines(tree, now))
    if tree.rollout.left_out:
        say(ctx, tree.rollout.left_out)


def _watch(platform: "Platform", model: str, output: Output, timeout: float | None) -> "RolloutTree":
    """Show the tree until the rollout has ended, and return it. Raises TimedOut."""
    from knoll.cli.render.rollout_tree import news_lines, tree_picture
    from knoll.cli.watch import Frame, watch
    from knoll.views.rollout_tree import read_rollout_tree, tree_document

    def show(tree: "RolloutTree") -> Frame:
        picture = tree_picture(tree, platform.clock.now())
        return Frame(picture, news_lines(tree), tree_document(tree), tree.rollout.is_over)

    return watch(
        lambda: read_rollout_tree(platform, model),
        show,
        output,
        timeout=timeout,
        waiting_for=f"the rollout of {model} to end",
    )
