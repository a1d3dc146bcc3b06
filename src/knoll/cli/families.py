"""`knoll families`: the kinds of models, and the fields of their configs."""

from typing import Annotated

import typer

from knoll.cli.completion import complete_families
from knoll.cli.options import Output, OutputOption
from knoll.cli.session import print_json, stdout
from knoll.cli.tables import plain_table
from knoll.errors import KnollError

__all__ = ["families"]


def families(
    ctx: typer.Context,  # noqa: ARG001
    family: Annotated[
        str, typer.Argument(help="Show the config of this one.", autocompletion=complete_families)
    ] = "",
    output: OutputOption = Output.table,
) -> None:
    """List the kinds of models that can be trained; for one of them, list each field of its config with unit,
    range and default.

    Example: knoll families image-classifier

    JSON: {"families": [{family, task, metrics: [{name, better, range}], config: [{field, type, unit, range,
    default, without, meaning}]}]}. If a field has no default, `without` says what happens without a value.
    Next: knoll apply -f FILE, with `spec.family` and `spec.training.config` in the file
    """
    from knoll.cli.render.families import (
        CONFIG_HEADINGS,
        FAMILY_HEADINGS,
        config_rows,
        document,
        family_row,
        metrics_line,
    )
    from knoll.families import FAMILIES, find_declaration

    names = [family] if family else list(FAMILIES)
    found = [one for name in names if (one := find_declaration(name))]
    if family and not found:
        fix = "pip install 'knoll[train]'"
        raise KnollError(f"{family}: its module needs a library that is not installed here", fix=fix)
    if output is Output.json:
        print_json({"families": [document(one) for one in found]})
    elif family:
        (one,) = found
        stdout().print(plain_table(CONFIG_HEADINGS, config_rows(one), spare=()))
        stdout().print(metrics_line(one))
    else:
        stdout().print(plain_table(FAMILY_HEADINGS, map(family_row, found)))
