"""What the commands share: their common options, the settings, the platform and the consoles.

The options leave their values in the context's `meta`, which nested contexts share: so the error handler of the root knows the output
format that a command was asked for, and `--home` may stand before or behind the command.
"""

import json
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    from knoll.ports import Platform
    from knoll.settings import Settings

__all__ = [
    "HomeOption",
    "Output",
    "OutputOption",
    "PortOption",
    "TimeoutOption",
    "YesOption",
    "errors_out",
    "output_of",
    "platform_of",
    "print_json",
    "settings_of",
    "stdout",
]

_WIDE = 240  # columns where there is no terminal: a table that is piped into grep must not wrap


class Output(StrEnum):
    """How a reading verb prints."""

    table = "table"
    json = "json"


def _remember(name: str) -> Callable[[typer.Context, Any], Any]:
    def keep(ctx: typer.Context, value: Any) -> Any:
        if value is not None:
            ctx.meta[f"knoll.{name}"] = value
        return value

    return keep


OutputOption = Annotated[
    Output, typer.Option("-o", "--output", help="table for people, json for programs.", callback=_remember("output"), show_choices=True)
]
HomeOption = Annotated[
    Path | None,
    typer.Option("--home", metavar="DIR", help="Home of the laptop platform; default KNOLL_HOME or ~/.knoll.", callback=_remember("home")),
]
PortOption = Annotated[
    int | None,
    typer.Option(
        "--port", min=0, max=65535, help="Port of the platform; 0 takes a free one. Default KNOLL_PORT or 8080.", callback=_remember("port")
    ),
]
TimeoutOption = Annotated[
    float | None, typer.Option("--timeout", metavar="SECONDS", min=0, help="With -w: give up after so long (exit code 3).")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def settings_of(ctx: typer.Context) -> "Settings":
    """The settings from the environment, with --home and --port as given."""
    from knoll.settings import read_settings

    given = {name: ctx.meta.get(f"knoll.{name}") for name in ("home", "port")}
    return read_settings(**{name: value for name, value in given.items() if value is not None})


def platform_of(ctx: typer.Context) -> "Platform":
    """The platform that runs for these settings. Raises KnollError when none does."""
    from knoll.wiring.platform import user_platform

    return user_platform(settings_of(ctx))


def output_of(ctx: typer.Context) -> Output:
    """The output format that was asked for; table until an option has said otherwise."""
    return Output(ctx.meta.get("knoll.output", Output.table))


def stdout() -> Console:
    """The console for results: NO_COLOR and pipes are honoured, and a pipe gets wide lines."""
    return Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False, emoji=False, markup=False)


def errors_out() -> Console:
    """The console for warnings, questions and progress, which are no results."""
    return Console(stderr=True, width=None if sys.stderr.isatty() else _WIDE, highlight=False, emoji=False, markup=False)


def print_json(document: Any) -> None:
    """One JSON document, on one line, so that a stream of them can be read line by line."""
    typer.echo(json.dumps(document, default=str))
