"""Settings, platform and consoles of a command."""

import json
import sys
from typing import TYPE_CHECKING, Any

import typer

from knoll.cli.grammar import PLUGIN, spoken
from knoll.cli.options import Output
from knoll.cli.output import TextConsole, echo
from knoll.errors import KnollError

if TYPE_CHECKING:
    from knoll.ports import Platform
    from knoll.settings import Settings

__all__ = [
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


def settings_of(ctx: typer.Context) -> "Settings":
    """The settings from the environment and the options. A namespace, a context or kn itself means a
    cluster."""
    from knoll.settings import read_settings

    names = ("home", "port", "cluster", *_OF_A_CLUSTER)
    given = {name: ctx.meta[f"knoll.{name}"] for name in names if f"knoll.{name}" in ctx.meta}
    settings = read_settings(**given)
    names_one = "cluster" not in given and any(name in given for name in _OF_A_CLUSTER)
    is_implied = "cluster" not in settings.model_fields_set and program_of(ctx) == PLUGIN
    return settings.model_copy(update={"cluster": "kubernetes"}) if names_one or is_implied else settings


def laptop_settings_of(ctx: typer.Context) -> "Settings":
    """The settings for a command that is for this machine only. Raises KnollError if they mean a cluster."""
    settings = settings_of(ctx)
    if settings.cluster != "local":
        raise KnollError(
            f"knoll {ctx.info_name} is for this machine, but the settings say cluster={settings.cluster}",
            fix="leave out --cluster and unset KNOLL_CLUSTER; on a cluster, make deploy installs knoll",
        )
    return settings


def platform_of(ctx: typer.Context) -> "Platform":
    """The platform that the settings name. Raises KnollError if none runs there."""
    from knoll.cli.patience import with_waits_told
    from knoll.wiring.platform import user_platform

    return with_waits_told(user_platform(settings_of(ctx)), lambda text: echo(text, err=True))


def program_of(ctx: typer.Context) -> str:
    """The name by which the command line was called: knoll or kn model."""
    return str(ctx.find_root().info_name)


def output_of(ctx: typer.Context) -> Output:
    """The output format that the options ask for; table by default."""
    return Output(ctx.meta.get("knoll.output", Output.table))


def stdout() -> TextConsole:
    """The console for results. It obeys NO_COLOR, and gives wide lines to a pipe."""
    return TextConsole(width=None if sys.stdout.isatty() else _WIDE)


def errors_out() -> TextConsole:
    """The console for warnings, questions and progress, on stderr."""
    return TextConsole(stderr=True, width=None if sys.stderr.isatty() else _WIDE)


def say(ctx: typer.Context, text: str) -> None:
    """Print a hint for people on stderr; it names commands as this program calls them."""
    errors_out().print(spoken(program_of(ctx), text))


def print_json(document: Any) -> None:
    """Print a JSON document on one line, so that a stream of them can be read line by line."""
    echo(json.dumps(document, default=str))
