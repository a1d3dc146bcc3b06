"""`knoll rollout replay`: what another policy would have made of past rollouts."""

from typing import Annotated

import typer

from knoll.cli.arguments import OneModelArgument
from knoll.cli.options import Output, OutputOption
from knoll.cli.session import platform_of, print_json, say, stdout

__all__ = ["replay"]


def replay(
    ctx: typer.Context,
    policy: Annotated[
        str,
        typer.Option(
            "--policy", metavar="FILE", help="YAML file with rollout and gate.minAgreement; - is stdin."
        ),
    ],
    model: OneModelArgument = "",
    output: OutputOption = Output.table,
) -> None:
    """Apply another policy to the records of past rollouts, and say which would have ended differently.
    Nothing is changed, and nothing is sent.

    Example: knoll rollout replay digits --policy stricter.yaml

    FILE has rollout, as in the spec of a Model, and gate with minAgreement; fields that are left out have
    their defaults. ENDED and WOULD are Promoted, RolledBack, Held or Refused. WOULD is Unknown if the records
    do not show the end: a laxer policy would have let the version go on, or a stricter one would still have
    waited. STEP is then the first step that the records do not decide, and else the step of the end.

    JSON: {"rollouts": [{model, version, startedAt, ended, would, differs: true|false|null, step, why}],
    otherwise, unknown}. Next: knoll why MODEL VERSION, knoll apply -f FILE
    """
    from knoll.cli.policy_file import read_policy
    from knoll.cli.render.hindsight import hindsight_picture
    from knoll.views.hindsight import hindsight_document, read_hindsight

    wanted = read_policy(policy)
    view = read_hindsight(platform_of(ctx), model, wanted)
    if output is Output.json:
        print_json(hindsight_document(view))
    else:
        stdout().print(hindsight_picture(view))
    if view.left_out:
        say(ctx, view.left_out)
