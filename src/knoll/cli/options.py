"""The options that commands share.

Each leaves its value in the context's `meta`, which nested contexts share. So `--home` may stand before or
behind the command, and the root knows the output format when a command fails.
"""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = [
    "AnswerTimeOption",
    "ClusterOption",
    "ContextOption",
    "DryRunOption",
    "HomeOption",
    "KubeconfigOption",
    "NamespaceOption",
    "Output",
    "OutputOption",
    "PortOption",
    "TimeoutOption",
    "WaitOption",
    "YesOption",
]


class Output(StrEnum):
    """How a command prints."""

    table = "table"
    json = "json"


class Installation(StrEnum):
    """Where the models are: the setting `cluster`."""

    local = "local"
    kubernetes = "kubernetes"


def _shared(name: str, *flags: str, help: str, **more: Any) -> Any:
    """An option whose value is kept under this name for the whole command line."""
    return typer.Option(*flags, help=help, callback=_keep_value(name), **more)


def _keep_value(name: str) -> Callable[[typer.Context, Any], Any]:
    def keep(ctx: typer.Context, value: Any) -> Any:
        if value is not None:
            ctx.meta[f"knoll.{name}"] = value
        return value

    return keep


_HOME_HELP = "Home of the laptop platform; default KNOLL_HOME or ~/.knoll."
_PORT_HELP = "Port of the platform; 0 takes a free one. Default KNOLL_PORT or 8080."
_CLUSTER_HELP = (
    "Where the models are: local is this machine. Default KNOLL_CLUSTER, or kubernetes when one of the next "
    "three is given."
)

OutputOption = Annotated[
    Output, _shared("output", "-o", "--output", help="table for people, json for programs.")
]
HomeOption = Annotated[Path | None, _shared("home", "--home", metavar="DIR", help=_HOME_HELP)]
PortOption = Annotated[int | None, _shared("port", "--port", min=0, max=65535, help=_PORT_HELP)]
ClusterOption = Annotated[Installation | None, _shared("cluster", "--cluster", help=_CLUSTER_HELP)]
NamespaceOption = Annotated[
    str | None,
    _shared("namespace", "-n", "--namespace", metavar="NAME", help="Namespace; default that of the context."),
]
ContextOption = Annotated[
    str | None, _shared("kube_context", "--context", metavar="NAME", help="Context of the kubeconfig.")
]
KubeconfigOption = Annotated[
    str | None,
    _shared("kubeconfig", "--kubeconfig", metavar="FILE", help="Default KUBECONFIG or ~/.kube/config."),
]
TimeoutOption = Annotated[
    float | None,
    typer.Option(
        "--timeout", metavar="SECONDS", min=0, help="With -w: give up after this time (exit code 3)."
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
WaitOption = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the answer, or leave at once.")]
AnswerTimeOption = Annotated[
    float,
    typer.Option(
        "--timeout", metavar="SECONDS", min=0, help="Wait so long for the answer (then exit code 3)."
    ),
]
DryRunOption = Annotated[
    bool,
    typer.Option("--dry-run", help="Say whether it could be granted as things stand, and ask for nothing."),
]
