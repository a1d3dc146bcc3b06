"""Tables as kubectl and kn print them: capital headings, no borders, so that grep and awk work on them."""

from collections.abc import Iterable, Sequence

from rich.table import Table
from rich.text import Text

__all__ = ["STYLES", "plain_table"]

STYLES = {
    "Succeeded": "green",
    "Promoted": "green",
    "champion": "green",
    "Running": "cyan",
    "candidate": "cyan",
    "Pending": "yellow",
    "Queued": "yellow",
    "Rejected": "red",
    "Failed": "red",
    "RolledBack": "red",
    "quarantined": "red",
    "rejected": "red",
}


def plain_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table whose cells are plain text, coloured by the state that they begin with."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for heading in headings:
        table.add_column(heading, no_wrap=heading in ("RUN", "NAME", "VERSION", "STATE", "AGE"))
    for row in rows:
        table.add_row(*(Text(cell, style=STYLES.get(cell.split(" ")[0], "")) for cell in row))
    return table
