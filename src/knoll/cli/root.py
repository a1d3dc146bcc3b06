"""The root of a command line: it adds the verbs, and it turns errors into words and exit codes.

Errors that knoll raises on purpose, and files that cannot be read or written, are reported here and nowhere
else. Any other error is a fault of knoll and keeps its traceback.
"""

import errno
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperGroup

from knoll import __version__
from knoll.cli.grammar import PROGRAM, RENAMED, asks_for_json, flags_first, spoken
from knoll.cli.groups import NAMELESS, NamelessDefault
from knoll.cli.options import Output
from knoll.cli.output import OutputLost, echo, guarded_output
from knoll.cli.session import output_of, program_of
from knoll.errors import KnollError
from knoll.exits import FAILURE, INTERRUPTED

__all__ = ["Verb", "add_verbs", "flowing", "new_root", "print_version"]


_ASKS_FOR_JSON = "knoll.asks_for_json"  # in the meta of a context


@dataclass(frozen=True)
class Verb:
    """A command: its words as they are typed, such as "runs logs", its function, and the panel of `--help`
    that lists it. A local verb is for the platform on this machine only."""

    words: str
    run: Callable[..., None]
    panel: str
    is_local: bool = False


class _Root(TyperGroup):
    def main(self, *args: Any, **options: Any) -> Any:
        try:
            with guarded_output():
                return super().main(*args, **options)
        except OutputLost as error:
            if error.errno != errno.EPIPE:
                echo(f"Error: standard output cannot be written: {error.strerror}", err=True)
            sys.exit(FAILURE)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.meta[_ASKS_FOR_JSON] = asks_for_json(args)
        with _usage_told(ctx):
            return super().parse_args(ctx, flags_first(args))

    def invoke(self, ctx: Any) -> Any:
        from knoll.cli.failures import exit_code, of_the_disk, report

        try:
            with _usage_told(ctx):
                return super().invoke(ctx)
        except OutputLost:
            raise
        except (KnollError, OSError) as error:
            told = of_the_disk(error) if isinstance(error, OSError) else error
            if told is None:
                raise
            as_json = ctx.meta[_ASKS_FOR_JSON] or output_of(ctx) is Output.json  # an argument may come first
            report(told, program_of(ctx), as_json=as_json)
            raise typer.Exit(exit_code(told)) from error
        except KeyboardInterrupt as error:
            words = f"Interrupted. {error}".strip()
            echo(spoken(program_of(ctx), words), err=True)
            raise typer.Exit(INTERRUPTED) from error


@contextmanager
def _usage_told(ctx: Any) -> Iterator[None]:
    """Put words of ours into the error of a wrong command line, and print it as JSON, too, if that is asked
    for. Typer prints it on stderr."""
    from knoll.cli.failures import report_usage, value_words

    try:
        yield
    except typer.TyperException as error:
        error.message = value_words(error) or error.message
        if ctx.meta[_ASKS_FOR_JSON]:
            report_usage(error.format_message(), program_of(ctx))
        raise


def new_root(program: str) -> typer.Typer:
    """An app without commands. Its texts name the commands as users of `program` type them."""
    return typer.Typer(
        name=program,
        cls=_Root,
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_show_locals=False,
        add_completion=program == PROGRAM,  # the shell asks kn, not its plugins
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def add_verbs(app: typer.Typer, program: str, verbs: Sequence[Verb], groups: Mapping[str, str]) -> None:
    """Add the verbs that `program` has. `groups` are the first words of verbs with two words, and their
    help."""
    known = {name: _new_group(name, help, verbs) for name, help in groups.items()}
    for verb in verbs:
        if verb.is_local and program != PROGRAM:
            continue
        first, _, second = verb.words.partition(" ")
        if first in known:
            more = "" if second else _told_of_group(first, verbs, program)
            _add(known[first], verb, second or NAMELESS, program, more, is_hidden=not second)
        else:
            _add(app, verb, first, program, is_hidden=program != PROGRAM and first in RENAMED)
        if first in RENAMED:
            _add(app, verb, RENAMED[first], program, is_hidden=program == PROGRAM)
    panels = {verb.words.partition(" ")[0]: verb.panel for verb in verbs}
    for name, group in known.items():
        app.add_typer(group, name=name, rich_help_panel=panels[name])


def flowing(text: str) -> str:
    """Help as a terminal of any width can wrap it: each paragraph is one line. The JSON and the next command
    have their own."""
    paragraphs = (" ".join(one.split()) for one in text.split("\n\n"))
    return re.sub(r"(?<=[.}]) ((?:JSON|Next)\b[^.:]*: )", r"\n\n\1", "\n\n".join(paragraphs))


def _new_group(name: str, help: str, verbs: Sequence[Verb]) -> typer.Typer:
    """A group of commands; its bare name is a command of its own if it is a verb."""
    is_verb = any(verb.words == name for verb in verbs)
    return typer.Typer(cls=NamelessDefault if is_verb else None, no_args_is_help=not is_verb, help=help)


def _told_of_group(name: str, verbs: Sequence[Verb], program: str) -> str:
    """The commands of a group, for the help of its bare name, which is a command itself."""
    told = [
        f"[bold]{spoken(program, f'{PROGRAM} {verb.words}')}[/bold]  {_first_words(verb, program)}"
        for verb in verbs
        if verb.words.startswith(f"{name} ") and not (verb.is_local and program != PROGRAM)
    ]
    return "\n\n".join(["Commands:", *told])


def _first_words(verb: Verb, program: str) -> str:
    return flowing(spoken(program, inspect.getdoc(verb.run) or "")).split("\n\n")[0]


def _add(place: typer.Typer, verb: Verb, name: str, program: str, more: str = "", *, is_hidden: bool) -> None:
    text = flowing(spoken(program, inspect.getdoc(verb.run) or ""))
    panel = None if " " in verb.words else verb.panel  # the group's line has it
    place.command(name, help=text, epilog=more, rich_help_panel=panel, hidden=is_hidden)(verb.run)


def print_version(wanted: bool) -> None:
    """Callback of --version."""
    if wanted:
        echo(f"{PROGRAM} {__version__}")
        raise typer.Exit
