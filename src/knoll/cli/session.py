"""What the commands share: their common options, the settings, the platform and the consoles.

The options leave their values in the context's `meta`, which nested contexts share: so the error handler of
the root knows the output format that a command was asked for, and `--home` may stand before or behind the
command.
"""

import json
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from knoll.cli.grammar import PLUGIN, spoken
from knoll.errors import KnollError

if TYPE_CHECKING:
    from knoll.ports import Platform
    from knoll.settings import Settings

__all__ = [
    "ClusterOption",
    "ContextOption",
    "HomeOption",
    "KubeconfigOption",
    "NamespaceOption",
    "Output",
    "OutputOption",
    "PortOption",
    "TimeoutOption",
    "YesOption",
    "errors_out",
    "laptop_settings_of",
    "output_of",
    "platform_of",
    "print_json",
    "program_of",
    "say",
    "settings_of",
    "stdout",
]

_WIDE = 240  # columns where there is no terminal: a table that is piped into grep must not wrap


_OF_A_CLUSTER = ("namespace", "kube_context", "kubeconfig")


class Output(StrEnum):
    """How a reading verb prints."""

    table = "table"
    json = "json"


class Place(StrEnum):
    """Where the models are: the setting `cluster`."""

    local = "local"
    kubernetes = "kubernetes"


def _remember(name: str) -> Callable[[typer.Context, Any], Any]:
    def keep(ctx: typer.Context, value: Any) -> Any:
        if value is not None:
            ctx.meta[f"knoll.{name}"] = value
        return value

    return keep


OutputOption = Annotated[
    Output,
    typer.Option(
        "-o",
        "--output",
        help="table for people, json for programs.",
        callback=_remember("output"),
        show_choices=True,
    ),
]
HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        help="Home of the laptop platform; default KNOLL_HOME or ~/.knoll.",
        callback=_remember("home"),
    ),
]
PortOption = Annotated[
    int | None,
    typer.Option(
        "--port",
        min=0,
        max=65535,
        help="Port of the platform; 0 takes a free one. Default KNOLL_PORT or 8080.",
        callback=_remember("port"),
    ),
]
ClusterOption = Annotated[
    Place | None,
    typer.Option(
        "--cluster",
        help="Where the models are: local is this machine. Default KNOLL_CLUSTER, or kubernetes when "
        "one of the next three is given.",
        callback=_remember("cluster"),
    ),
]
NamespaceOption = Annotated[
    str | None,
    typer.Option(
        "-n",
        "--namespace",
        metavar="NAME",
        help="Namespace; default that of the context.",
        callback=_remember("namespace"),
    ),
]
ContextOption = Annotated[
    str | None,
    typer.Option(
        "--context", metavar="NAME", help="Context of the kubeconfig.", callback=_remember("kube_context")
    ),
]
KubeconfigOption = Annotated[
    str | None,
    typer.Option(
        "--kubeconfig",
        metavar="FILE",
        help="Default KUBECONFIG or ~/.kube/config.",
        callback=_remember("kubeconfig"),
    ),
]
TimeoutOption = Annotated[
    float | None,
    typer.Option("--timeout", metavar="SECONDS", min=0, help="With -w: give up after so long (exit code 3)."),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def settings_of(ctx: typer.Context) -> "Settings":
    """The settings from the environment, with the options as given. Whoever names a namespace or context, or
    calls kn, means a cluster."""
    from knoll.settings import read_settings

    names = ("home", "port", "cluster", *_OF_A_CLUSTER)
    given = {name: ctx.meta[f"knoll.{name}"] for name in names if f"knoll.{name}" in ctx.meta}
    settings = read_settings(**given)
    names_one = "cluster" not in given and any(name in given for name in _OF_A_CLUSTER)
    is_implied = "cluster" not in settings.model_fields_set and program_of(ctx) == PLUGIN
    return settings.model_copy(update={"cluster": "kubernetes"}) if names_one or is_implied else settings


def laptop_settings_of(ctx: typer.Context) -> "Settings":
    """The settings for a command that concerns this machine. Raises KnollError when they mean a cluster."""
    settings = settings_of(ctx)
    if settings.cluster != "local":
        raise KnollError(
            f"knoll {ctx.info_name} is for this machine, and the settings say: cluster {settings.cluster}",
            fix="leave --cluster and KNOLL_CLUSTER away; on a cluster, make deploy installs knoll",
        )
    return settings


def platform_of(ctx: typer.Context) -> "Platform":
    """The platform that these settings mean. Raises KnollError when none runs there."""
    from knoll.wiring.platform import user_platform

    return user_platform(settings_of(ctx))


def program_of(ctx: typer.Context) -> str:
    """How the command line was called."""
    return str(ctx.find_root().info_name)


def output_of(ctx: typer.Context) -> Output:
    """The output format that was asked for; table until an option has said otherwise."""
    return Output(ctx.meta.get("knoll.output", Output.table))


def stdout() -> Console:
    """The console for results: NO_COLOR and pipes are honoured, and a pipe gets wide lines."""
    return Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False, emoji=False, markup=False)


def errors_out() -> Console:
    """The console for warnings, questions and progress, which are no results."""
    return Console(
        stderr=True, width=None if sys.stderr.isatty() else _WIDE, highlight=False, emoji=False, markup=False
    )


def say(ctx: typer.Context, text: str) -> None:
    """A hint for people, on stderr, with the commands in it as this program calls them."""
    errors_out().print(spoken(program_of(ctx), text))


def print_json(document: Any) -> None:
    """One JSON document, on one line, so that a stream of them can be read line by line."""
    typer.echo(json.dumps(document, default=str))
