"""`knoll card`: what a version says of itself."""

import sys
from typing import Annotated

import typer

from knoll.cli.arguments import ModelArgument, VersionArgument
from knoll.cli.options import Output, OutputOption
from knoll.cli.output import echo, multiline
from knoll.cli.session import platform_of, print_json, stdout

__all__ = ["card", "is_terminal"]


def card(
    ctx: typer.Context,
    model: ModelArgument,
    version: VersionArgument = "",
    plain: Annotated[bool, typer.Option("--plain", help="Print the Markdown as it is.")] = False,
    output: OutputOption = Output.table,
) -> None:
    """Show the model card of a version: intended use and limits, metrics beside a naive baseline, data and
    what was left out of it, config, and how to call it.

    Example: knoll card digits v000002

    A pipe gets the Markdown as it is. JSON: {model, version, frontMatter, card, curves}, where `frontMatter`
    is YAML, `card` Markdown, and `curves` the URI of the training's curves.
    Next: knoll versions MODEL --compare VERSION VERSION, knoll predict MODEL FILE
    """
    from knoll.views.card import card_document, read_card

    found = read_card(platform_of(ctx), model, version)
    if output is Output.json:
        print_json(card_document(found))
    elif plain or not is_terminal():
        echo(*found.text.splitlines())
    else:
        from rich.markdown import Markdown

        stdout().print(Markdown(multiline(found.text), hyperlinks=False))
        if found.curves:
            echo(f"Curves: {found.curves}")


def is_terminal() -> bool:
    """Whether a terminal reads standard output."""
    return sys.stdout.isatty()
