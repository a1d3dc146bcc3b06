"""`knoll data`: what of a model's data is trained on, and what is left out."""

import typer

from knoll.cli.arguments import ModelArgument
from knoll.cli.options import Output, OutputOption
from knoll.cli.session import platform_of, print_json, stdout
from knoll.cli.tables import plain_table

__all__ = ["data"]


def data(ctx: typer.Context, model: ModelArgument, output: OutputOption = Output.table) -> None:
    """Show a model's data as it lies in the bucket: files and bytes of each class, and what is skipped, by
    reason.

    Example: knoll data digits

    Files of other kinds and folders that can be read in two ways are named: a run would be rejected.

    JSON: {model, uri, state, reason, files, bytes, groups: [{name, files, bytes, heldOut}],
    archives: {files, bytes}, skipped: [{reason, count, examples}], fault}. Next: knoll runs MODEL -w
    """
    from knoll.cli.render.data import DATA_HEADINGS, data_lines, data_row
    from knoll.families import form_of
    from knoll.views.data import data_document, read_data_view

    found = read_data_view(platform_of(ctx), model, form_of)
    if output is Output.json:
        print_json(data_document(found))
        return
    if found.groups:
        stdout().print(plain_table(DATA_HEADINGS, map(data_row, found.groups)))
    for line in data_lines(found):
        stdout().print(line)
