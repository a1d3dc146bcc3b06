"""The root of a command line: where errors become words and exit codes, and which commands mean the same
everywhere.

Errors that knoll raises on purpose, and files that cannot be read or written, are told here and nowhere else;
anything else is a fault of knoll and keeps its traceback.
"""

import inspect
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperGroup

from knoll import __version__
from knoll.cli import apply, describe, dlq, events, gc, models, predict, rollout, runs, upload, why
from knoll.cli.grammar import PROGRAM, flags_first, spoken
from knoll.cli.groups import NAMELESS, NamelessDefault
from knoll.cli.session import Output, output_of, program_of
from knoll.errors import KnollError

__all__ = ["add_commands", "new_root", "print_version"]

_LOOP = "Declare and feed"
_LOOK = "Look"
_USE = "Use"


class _Root(TyperGroup):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, flags_first(args))

    def invoke(self, ctx: Any) -> Any:
        from knoll.cli.failures import INTERRUPTED, exit_code, of_the_disk, report

        try:
            return super().invoke(ctx)
        except (KnollError, OSError) as error:
            told = of_the_disk(error) if isinstance(error, OSError) else error
            if told is None:
                raise
            report(told, program_of(ctx), as_json=output_of(ctx) is Output.json)
            raise typer.Exit(exit_code(told)) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(INTERRUPTED) from error


def new_root(program: str) -> typer.Typer:
    """An app without commands; the program's name decides how its texts call the commands."""
    return typer.Typer(
        name=program,
        cls=_Root,
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_show_locals=False,
        add_completion=program == PROGRAM,  # the shell asks kn, not its plugins
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def add_commands(app: typer.Typer, program: str) -> None:
    """Add the commands that mean the same on a laptop and on a cluster, in the order in which a newcomer
    needs them."""

    def add(
        group: typer.Typer,
        function: Callable[..., None],
        name: str = "",
        panel: str | None = None,
        *,
        hidden: bool = False,
    ) -> None:
        text = spoken(program, inspect.getdoc(function) or "")
        group.command(name or None, help=text, rich_help_panel=panel, hidden=hidden)(function)

    groups = {
        "runs": typer.Typer(cls=NamelessDefault, help="List the runs, or print the logs of one."),
        "rollout": typer.Typer(no_args_is_help=True, help="See how the version on trial is doing."),
        "dlq": typer.Typer(
            no_args_is_help=True,
            help="Dead letters: events that no function took. See why, replay them, drop them.",
        ),
    }
    add(groups["runs"], runs.runs, NAMELESS, hidden=True)
    add(groups["runs"], runs.logs)
    add(groups["rollout"], rollout.status)
    add(groups["dlq"], dlq.list_letters, "list")
    add(groups["dlq"], dlq.show)
    add(groups["dlq"], dlq.replay)
    add(groups["dlq"], dlq.drop)
    add(app, apply.apply, panel=_LOOP)
    add(app, upload.upload, panel=_LOOP)
    add(app, apply.delete, panel=_LOOP)
    add(app, gc.gc, panel=_LOOP)
    app.add_typer(groups["runs"], name="runs", rich_help_panel=_LOOK)
    add(app, models.models, "models", _LOOK, hidden=program != PROGRAM)
    add(app, models.models, "list", _LOOK, hidden=program == PROGRAM)
    add(app, describe.describe, panel=_LOOK)
    add(app, models.versions, panel=_LOOK)
    app.add_typer(groups["rollout"], name="rollout", rich_help_panel=_LOOK)
    add(app, events.events, panel=_LOOK)
    app.add_typer(groups["dlq"], name="dlq", rich_help_panel=_LOOK)
    add(app, why.why, panel=_LOOK)
    add(app, predict.predict, panel=_USE)


def print_version(wanted: bool) -> None:
    """Callback of --version."""
    if wanted:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit
