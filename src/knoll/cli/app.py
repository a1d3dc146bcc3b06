"""The command `knoll`: what runs on this machine only, and the commands that mean the same everywhere."""

from typing import Annotated

import typer

from knoll.cli import demo, platform
from knoll.cli.grammar import PROGRAM
from knoll.cli.root import add_commands, new_root, print_version
from knoll.cli.session import (
    ClusterOption,
    ContextOption,
    HomeOption,
    KubeconfigOption,
    NamespaceOption,
    PortOption,
)

__all__ = ["app", "main"]

_START = "Start here"

app = new_root(PROGRAM)


@app.callback()
def knoll(
    home: HomeOption = None,
    port: PortOption = None,
    cluster: ClusterOption = None,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=print_version, is_eager=True)
    ] = False,
) -> None:
    """Data lands in a bucket, a trained model answers.

    See it all in a few minutes:  [bold]knoll demo[/bold]

    By hand: [bold]knoll up[/bold] in one terminal; in another [bold]knoll apply -f model.yaml[/bold],
    [bold]knoll upload MODEL PATH[/bold], [bold]knoll runs -w[/bold], [bold]knoll predict MODEL FILE[/bold].

    On a cluster: [bold]knoll --cluster kubernetes models[/bold], or [bold]kn model list[/bold]. The cluster's
    options may stand anywhere.

    Exit codes: 0 ok, 1 failure, 2 usage, 3 timed out, 4 not found. Reading verbs take [bold]-o json[/bold].
    """


app.command(rich_help_panel=_START)(demo.demo)
app.command(rich_help_panel=_START)(platform.up)
app.command(rich_help_panel=_START)(platform.env)
add_commands(app, PROGRAM)


def main() -> None:
    """Entry point of the console script."""
    app()
