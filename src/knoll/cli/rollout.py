"""`knoll rollout`: how far the version on trial is, and on which numbers."""

from typing import TYPE_CHECKING, Annotated

import typer

from knoll.cli.arguments import ModelArgument
from knoll.cli.options import Output, OutputOption, TimeoutOption
from knoll.cli.session import platform_of, print_json, say, stdout
from knoll.exits import FAILURE, SUCCEEDED

if TYPE_CHECKING:
    from knoll.ports import Platform
    from knoll.views.rollouts import RolloutView

__all__ = ["status", "watch_rollout"]


def status(
    ctx: typer.Context,
    model: ModelArgument,
    watch: Annotated[bool, typer.Option("-w", "--watch", help="Follow until the rollout has ended.")] = False,
    timeout: TimeoutOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Show the rollout of a model: its step, its traffic, its evidence, and the reason of every verdict.

    Example: knoll rollout status digits -w --timeout 600

    -w ends with the rollout: exit code 0 if the version was promoted, 1 if it was rolled back, rejected or
    held for approval, 3 if time ran out. A line "Comparison" says on how many of the champion's held-out
    samples both versions agree, and on how many each is right. A line "Labels" says how many labelled answers
    of the version and of the champion were right. A line "Moved" names the numbers of requests or answers
    whose distribution has moved away from that of the version's samples. A line "Waiting" (`waiting` and
    `wait` in JSON) says what the rollout waits for, how much of it there is, since when, and what ends the
    wait. Without a rollout it says what the next one waits for: a version that was not tried yet, a run or,
    before the first version, data. Without this line no rollout is expected.

    JSON: {model, version, phase, champion, step, percent, percentTo: VERSION, evidence: {requests, errors,
    replayed, refused, recorded}, comparison: {version, champion, since, note, samples, asked, agreed,
    labelled, right, championRight, repeated, repeatAgreed, agreement, score, championScore}|null, labels:
    [{version, right, wrong}], facets: [{version, facet, index, bound, requests, hasMoved}], waiting, wait:
    {for, have, need, since, until, ends}, records: [...]}. Next: knoll why MODEL, knoll predict MODEL FILE
    """
    from knoll.cli.render.rollouts import rollout_picture
    from knoll.views.rollouts import read_rollout, rollout_document

    platform = platform_of(ctx)
    if watch:
        last = watch_rollout(platform, model, output, timeout)
        raise typer.Exit(FAILURE if last.is_bad else SUCCEEDED)
    view = read_rollout(platform, model)
    if output is Output.json:
        print_json(rollout_document(view))
    else:
        stdout().print(rollout_picture(view, platform.clock.now()))
    if view.left_out:
        say(ctx, view.left_out)


def watch_rollout(platform: "Platform", model: str, output: Output, timeout: float | None) -> "RolloutView":
    """Show the rollout until it has ended, and return it. Raises TimedOut."""
    from knoll.cli.render.rollouts import rollout_lines, rollout_picture
    from knoll.cli.watch import Frame, watch
    from knoll.views.rollouts import read_rollout, rollout_document

    def show(view: "RolloutView") -> Frame:
        picture = rollout_picture(view, platform.clock.now())
        return Frame(picture, rollout_lines(view), rollout_document(view), view.is_over)

    return watch(
        lambda: read_rollout(platform, model),
        show,
        output,
        timeout=timeout,
        waiting_for=f"the rollout of {model} to end",
    )
