"""The columns of a model's data in a table, and lines below it."""

from knoll.quoting import escaped, shown, some_of
from knoll.views.columns import ColumnsView, DataColumn

__all__ = ["COLUMN_HEADINGS", "column_lines", "column_row"]

COLUMN_HEADINGS = ("COLUMN", "KIND", "MISSING", "VALUES", "EXAMPLE")
_SHOWN = 10  # classes


def column_row(column: DataColumn) -> tuple[str, ...]:
    """The cells under COLUMN_HEADINGS."""
    count = len(column.values)
    values = f"{count}: {some_of(column.values)}" if count else ""
    return escaped(column.name), column.kind, str(column.missing or ""), values, shown(column.example)


def column_lines(found: ColumnsView) -> list[str]:
    """What the table does not say."""
    classes = [f"{escaped(name)} {count:,}" for name, count in found.classes.items()]
    told = f": {', '.join(classes[:_SHOWN])}{', …' if classes[_SHOWN:] else ''}" if classes else ""
    others = [name for name in found.ignored if name != found.target]
    return [
        f"{found.version} learnt {escaped(found.target)} from {found.rows:,} rows{told}",
        *([f"It did not learn from: {some_of(others)}"] if others else []),
    ]
