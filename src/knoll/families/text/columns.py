"""Which columns of tables hold the texts and their classes."""

from collections.abc import Sequence
from dataclasses import dataclass

from knoll.data_layout import listed
from knoll.errors import InvalidData
from knoll.families.text.declaration import TextConfig, TextDeclaration
from knoll.quoting import escaped
from knoll.tables import MOST_CATEGORIES, Column, TableCounts, infer_schema, unknown_columns

__all__ = ["TextColumns", "find_columns"]

_TEXT, _LABEL = "text", "label"  # names of columns that need no config


@dataclass(frozen=True)
class TextColumns:
    """The names of the columns, and the classes by name."""

    text: str
    label: str
    classes: tuple[str, ...]


def find_columns(counts: TableCounts, config: TextConfig) -> TextColumns:
    """The columns that the config names, else those called `text` and `label`, else the only column of texts,
    and the only other one with two values or more. Raises InvalidData that says what to name."""
    schema = infer_schema(counts)
    known = {one.name: one for one in schema}
    columns = f"the data has the columns {listed([*known])}"
    if unknown := unknown_columns(known, TextDeclaration().columns(config)):
        raise InvalidData("; ".join(unknown), fix=columns)
    usual = _LABEL if _LABEL in known else ""
    text = config.text or _text(schema, {config.label or usual})
    if text is None:
        raise InvalidData(
            f"it is not clear which column has the texts: {columns}", fix="set text in the config"
        )
    label = config.label or usual or _label(schema, text)
    if not label or label == text:
        raise InvalidData(
            f"it is not clear which column has the classes of {escaped(text)}: {columns}",
            fix="set label in the config",
        )
    classes = _classes(counts, label)
    if label in classes and not config.label:
        raise InvalidData(
            f"it has no names of columns: its first line has {escaped(label)}, which is a class",
            fix=f"add a first line with names, such as {_TEXT},{_LABEL}, or set label in the config",
        )
    return TextColumns(text, label, classes)


def _text(schema: Sequence[Column], others: set[str]) -> str | None:
    if any(one.name == _TEXT for one in schema):
        return _TEXT
    found = [one.name for one in schema if one.kind == "text" and one.name not in others]
    return found[0] if len(found) == 1 else None


def _label(schema: Sequence[Column], text: str) -> str:
    found = [one.name for one in schema if one.name != text and len(one.values) > 1]
    return found[0] if len(found) == 1 else ""


def _classes(counts: TableCounts, label: str) -> tuple[str, ...]:
    (column,) = (one for one in infer_schema(counts, {label}) if one.name == label)
    if len(column.values) < 2:
        only = f"only the class {listed([*column.values])}" if column.values else "no class"
        told = f"more than {MOST_CATEGORIES:,} classes" if column.kind == "text" else only
        raise InvalidData(
            f"the column {escaped(label)} has {told}", fix="a text needs one of 2 to 1,000 classes"
        )
    return tuple(column.values)
