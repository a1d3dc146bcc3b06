"""The command `knoll`: its commands in the order in which a newcomer needs them.

Errors that knoll raises on purpose, and files that cannot be read or written, become words and exit codes here and nowhere else;
anything else is a fault of knoll and keeps its traceback.
"""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from knoll import __version__
from knoll.cli import apply, demo, events, models, platform, predict, rollout, runs, upload, why
from knoll.cli.groups import NAMELESS, NamelessDefault
from knoll.cli.session import HomeOption, Output, PortOption, output_of
from knoll.errors import KnollError

__all__ = ["app", "main"]

_START = "Start here"
_LOOP = "Declare and feed"
_LOOK = "Look"
_USE = "Use"


class _Root(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        from knoll.cli.failures import INTERRUPTED, exit_code, of_the_disk, report

        try:
            return super().invoke(ctx)
        except (KnollError, OSError) as error:
            told = of_the_disk(error) if isinstance(error, OSError) else error
            if told is None:
                raise
            report(told, as_json=output_of(ctx) is Output.json)
            raise typer.Exit(exit_code(told)) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(INTERRUPTED) from error


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"knoll {__version__}")
        raise typer.Exit


app = typer.Typer(
    name="knoll",
    cls=_Root,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def knoll(
    home: HomeOption = None,
    port: PortOption = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)] = False,
) -> None:
    """Data lands in a bucket, a trained model answers.

    See it all in a few minutes:  [bold]knoll demo[/bold]

    By hand: [bold]knoll up[/bold] in one terminal; in another [bold]knoll apply -f model.yaml[/bold],
    [bold]knoll upload MODEL PATH[/bold], [bold]knoll runs -w[/bold], [bold]knoll predict MODEL FILE[/bold].

    Exit codes: 0 ok, 1 failure, 2 usage, 3 timed out, 4 not found. Reading verbs take [bold]-o json[/bold].
    """


_runs = typer.Typer(cls=NamelessDefault, help="List the runs, or print the logs of one.")
_runs.command(NAMELESS, hidden=True)(runs.runs)
_runs.command("logs")(runs.logs)
_rollout = typer.Typer(no_args_is_help=True, help="See how the version on trial is doing.")
_rollout.command("status")(rollout.status)

app.command(rich_help_panel=_START)(demo.demo)
app.command(rich_help_panel=_START)(platform.up)
app.command(rich_help_panel=_START)(platform.env)
app.command(rich_help_panel=_LOOP)(apply.apply)
app.command(rich_help_panel=_LOOP)(upload.upload)
app.command(rich_help_panel=_LOOP)(apply.delete)
app.add_typer(_runs, name="runs", rich_help_panel=_LOOK)
app.command(rich_help_panel=_LOOK)(models.models)
app.command(rich_help_panel=_LOOK)(models.versions)
app.add_typer(_rollout, name="rollout", rich_help_panel=_LOOK)
app.command(rich_help_panel=_LOOK)(events.events)
app.command(rich_help_panel=_LOOK)(why.why)
app.command(rich_help_panel=_USE)(predict.predict)


def main() -> None:
    """Entry point of the console script."""
    app()
