"""The columns of a model's data, as its newest version has learnt them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from knoll.ports import Platform
from knoll.views.newest import newest_signature

__all__ = ["ColumnsView", "DataColumn", "columns_document", "find_columns"]


@dataclass(frozen=True)
class DataColumn:
    """A column that is learnt from: its kind, in how many rows it is missing, the values of a category, and
    an example."""

    name: str
    kind: str
    missing: int
    values: tuple[str, ...]
    example: Any


@dataclass(frozen=True)
class ColumnsView:
    """The columns of `rows` rows that `version` learnt from, the `target`, the rows of each of its `classes`,
    and the columns that are `ignored`."""

    version: str
    rows: int
    target: str
    classes: Mapping[str, int]
    columns: Sequence[DataColumn]
    ignored: Sequence[str]


def find_columns(platform: Platform, model: str) -> ColumnsView | None:
    """The columns of the newest version; None if there is no version, if it takes no rows, or if its
    signature cannot be read."""
    version, signature = newest_signature(platform, model) or ("", None)
    for one in signature.inputs if signature else ():
        if one.columns:
            told = one.options.get("target", {})
            return ColumnsView(
                version,
                one.options.get("rows", 0),
                told.get("name", ""),
                told.get("counts", {}),
                [_column(column) for column in one.columns],
                [*one.options.get("ignored", ())],
            )
    return None


def columns_document(found: ColumnsView | None) -> dict[str, Any] | None:
    """The columns as `-o json` shows them."""
    return asdict(found) if found else None


def _column(one: Mapping[str, Any]) -> DataColumn:
    values = tuple(map(str, one.get("categories", ())))
    return DataColumn(one["name"], one["kind"], one.get("missing", 0), values, one["example"])
