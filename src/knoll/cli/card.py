"""`knoll card`: what a version says of itself."""

import sys
from typing import Annotated, Any

import typer

from knoll.cli.arguments import ModelArgument, VersionArgument
from knoll.cli.options import Output, OutputOption
from knoll.cli.output import echo, multiline
from knoll.cli.session import platform_of, print_json, say, stdout

__all__ = ["card", "is_terminal"]


def card(
    ctx: typer.Context,
    model: ModelArgument,
    version: VersionArgument = "",
    plain: Annotated[bool, typer.Option("--plain", help="Print the Markdown as it is.")] = False,
    output: OutputOption = Output.table,
) -> None:
    """Show the model card of a version: intended use and limits, metrics beside a naive baseline and the
    champion, gate, data and what was left out of it, the graphs that were tried, config, how to call it,
    licence. Behind it stands what the rollout has decided since, with the numbers of the gate.

    Example: knoll card digits v000002

    A pipe gets the Markdown as it is. JSON: {model, version, state, frontMatter, card, curves, checks: {NAME:
    {value, champion, atLeast, atMost, maxRegression, fault}}, verdict: {version, verdict, reason}|null},
    where `frontMatter` has the fields of the Hugging Face hub, `card` is Markdown, and `curves` the URI of
    the training's curves.
    Next: knoll versions MODEL --compare VERSION VERSION, knoll predict MODEL FILE
    """
    from knoll.cli.render.card import card_markdown, without_links
    from knoll.views.card import card_document, read_card

    found = read_card(platform_of(ctx), model, version)
    if output is Output.json:
        print_json(card_document(found, _values(found.front_matter)))
    elif plain or not is_terminal():
        echo(*card_markdown(found).splitlines())
    else:
        from rich.markdown import Markdown

        stdout().print(Markdown(multiline(without_links(card_markdown(found))), hyperlinks=False))
    if found.left_out:
        say(ctx, found.left_out)


def is_terminal() -> bool:
    """Whether a terminal reads standard output."""
    return sys.stdout.isatty()


def _values(front_matter: str) -> dict[str, Any]:
    """The values of the YAML; none if it cannot be read."""
    from knoll.cli.yaml_file import read_yaml
    from knoll.errors import InvalidModel

    try:
        read = [one.value for one in read_yaml(front_matter, "")]
    except InvalidModel:
        return {}
    return read[0] if read and isinstance(read[0], dict) else {}
