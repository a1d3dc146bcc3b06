"""The command `kn model`: kn takes an executable `kn-model` on the PATH as its plugin.

Its commands are those of `knoll`, for a cluster. kn turns the exit code of every failure into 1; `kn-model`
itself has the exit codes of `knoll`.
"""

import json
from typing import Annotated

import typer

from knoll.cli.app import GROUPS, VERBS
from knoll.cli.grammar import PLUGIN
from knoll.cli.options import ContextOption, KubeconfigOption, NamespaceOption
from knoll.cli.output import echo
from knoll.cli.root import add_verbs, new_root, print_version

__all__ = ["app", "main"]

app = new_root(PLUGIN)


def _refuse(name: str | None) -> None:
    if name is not None:
        raise typer.BadParameter(
            "name a context of the kubeconfig instead: --context NAME", param_hint="--cluster"
        )


@app.callback()
def model(
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
    cluster: Annotated[str | None, typer.Option("--cluster", hidden=True, callback=_refuse)] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=print_version, is_eager=True)
    ] = False,
) -> None:
    """Models that are trained when their data lands, and rolled out by evidence.

    Start: [bold]kn model apply -f model.yaml[/bold], [bold]kn model upload MODEL PATH[/bold], [bold]kn model
    runs -w[/bold], [bold]kn model rollout status MODEL -w[/bold], [bold]kn model predict MODEL FILE[/bold].

    Options for the cluster may stand anywhere. Every command takes [bold]-o json[/bold].
    """


add_verbs(app, PLUGIN, VERBS, GROUPS)


@app.command(hidden=True)
def manifest() -> None:
    """Tell kn about this plugin: it neither takes nor gives data that plugins share."""
    echo(json.dumps({"hasManifest": True, "producesKeys": [], "consumesKeys": []}))


def main() -> None:
    """Entry point of the console script."""
    app(prog_name=PLUGIN)
