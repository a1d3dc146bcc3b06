"""`knoll data`: what of a model's data is trained on, what is left out, and what each landing led to."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from knoll.cli.arguments import ModelArgument
from knoll.cli.options import Output, OutputOption
from knoll.cli.session import platform_of, print_json, stdout
from knoll.cli.tables import plain_table

if TYPE_CHECKING:
    from knoll.views.columns import ColumnsView
    from knoll.views.data import DataView
    from knoll.views.landings import Landing
    from knoll.views.sounds import SoundsView

__all__ = ["data"]


def data(
    ctx: typer.Context,
    model: ModelArgument,
    limit: Annotated[int, typer.Option(min=1, help="Show this many of the newest landings.")] = 10,
    output: OutputOption = Output.table,
) -> None:
    """Show a model's data in the bucket, what is skipped or bad and why, and what each landing led to.

    Example: knoll data digits

    A run is rejected for files of other kinds, folders that can be read in two ways, and columns that cannot
    be learnt from. With badData: skip, few bad files are left out; each run says which.

    A landing is a complete state of the data; NOW marks that of the bucket, and CHANGE compares with the one
    before. STATE is that of its version, or of its run. Data that returns makes no new landing.
    Columns of tables, with MISSING rows and VALUES, and sounds are those of the newest version. An object is
    a file or an archive; the log of a run has the number of files, also of those in archives.

    JSON: {model, uri, state, reason, objects, files, bytes, groups: [{name, files, bytes, heldOut}],
    archives: {files, bytes}, skipped: [{reason, count, examples}], fault, bad: [{reason, count, examples}],
    columns: {version, rows, target, classes, columns: [{name, kind, missing, values, example}],
    ignored}|null, sounds: {version, files, rate, seconds, rates, channels}|null, landings: [{digest,
    landedAt, now, objects, bytes, classes: [...]|null, change: {added, removed, changed}|null, run, version,
    state, reason, leftOut: [{reason, count, examples}]}]}.
    Next: knoll runs MODEL -w, knoll why MODEL VERSION
    """
    from knoll.families import form_of
    from knoll.views.columns import find_columns
    from knoll.views.data import read_data_view
    from knoll.views.landings import read_landings
    from knoll.views.sounds import find_sounds

    platform = platform_of(ctx)
    found = read_data_view(platform, model, form_of)
    columns, sounds = find_columns(platform, model), find_sounds(platform, model)
    landings = read_landings(platform, found.model, form_of(found.model.family), limit)
    if output is Output.json:
        print_json(_document(found, columns, sounds, landings))
        return
    _show(found, columns, sounds, landings, platform.clock.now())


def _document(
    found: "DataView",
    columns: "ColumnsView | None",
    sounds: "SoundsView | None",
    landings: "Sequence[Landing]",
) -> dict[str, Any]:
    from knoll.views.columns import columns_document
    from knoll.views.data import data_document
    from knoll.views.landings import landing_document
    from knoll.views.sounds import sounds_document

    learnt = {"columns": columns_document(columns), "sounds": sounds_document(sounds)}
    return {**data_document(found), **learnt, "landings": [landing_document(one) for one in landings]}


def _show(
    found: "DataView",
    columns: "ColumnsView | None",
    sounds: "SoundsView | None",
    landings: "Sequence[Landing]",
    now: datetime,
) -> None:
    from knoll.cli.render.columns import COLUMN_HEADINGS, column_lines, column_row
    from knoll.cli.render.data import DATA_HEADINGS, data_lines, data_row
    from knoll.cli.render.landings import LANDING_HEADINGS, landing_row, left_out_lines
    from knoll.cli.render.sounds import sound_lines

    if found.groups:
        stdout().print(plain_table(DATA_HEADINGS, map(data_row, found.groups)))
    for line in data_lines(found):
        stdout().print(line)
    if columns:
        stdout().print()
        stdout().print(plain_table(COLUMN_HEADINGS, map(column_row, columns.columns)))
        for line in column_lines(columns):
            stdout().print(line)
    for line in sound_lines(sounds) if sounds else ():
        stdout().print(line)
    if landings:
        rows = (landing_row(one, now) for one in landings)
        stdout().print()
        stdout().print(plain_table(LANDING_HEADINGS, rows, spare=("SIZE", "AGE", "CLASSES")))
    for line in left_out_lines(landings):
        stdout().print(line)
