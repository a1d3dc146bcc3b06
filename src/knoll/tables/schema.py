"""The schema of data: what kind each column is. One rule decides by all cells of all files, so the same data
always has the same schema.

    kind            if of the cells that hold something
    number          95 % or more are numbers
    boolean         95 % or more are true or false
    date or time    95 % or more are dates in ISO form
    decimal comma   95 % or more are numbers, some with a comma: 12,5
    mixed           5 % to 95 % are numbers
    category        there are up to 1,000 different ones; up to 50, or in no more than half of the rows
    text            there are more
    empty           there are none

Numbers, booleans and categories can be learnt. A cell that is not of the kind of its column makes a bad row.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from knoll.data_layout import listed
from knoll.quoting import did_you_mean, escaped
from knoll.tables.cells import number_of
from knoll.tables.survey import ColumnCounts, TableCounts, TableShape

__all__ = ["LEARNT", "Column", "infer_schema", "odd_tables", "unknown_columns"]

LEARNT = ("number", "boolean", "category")
_MOST = 0.95  # of the cells, for a kind
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+", re.ASCII)  # one comma may also be a decimal comma
_FEW = 50  # different values: a category however few rows there are


@dataclass(frozen=True)
class Column:
    """A column of the data. `values` are the different ones with their counts, if it has few. `example` is a
    cell of its kind, and `fault` says why it cannot be learnt as it is, and what to do; "" if it can."""

    name: str
    kind: str
    rows: int
    missing: int = 0
    values: Mapping[str, int] = field(default_factory=dict)
    example: str = ""
    fault: str = ""


def infer_schema(counts: TableCounts, categories: Collection[str] = ()) -> tuple[Column, ...]:
    """The columns, in the order in which the first table has them. `categories` are the columns that are
    categories whatever they look like."""
    return tuple(
        _column(name, found, counts.rows, name in categories) for name, found in counts.columns.items()
    )


def odd_tables(tables: Mapping[str, TableCounts | TableShape]) -> dict[str, str]:
    """Why tables do not belong to the others, by key: their columns are not those of most files. If two sets
    of columns are in equally many files, the one with more rows counts."""
    closed, rows = Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()
    for one in tables.values():
        if not one.is_open:
            found = tuple(sorted(one.names))
            closed[found] += 1
            rows[found] += one.rows
    if not closed:
        return {}
    usual = max(closed, key=lambda names: (closed[names], rows[names], names))
    faults = {key: _difference(usual, one) for key, one in tables.items()}
    return {key: why for key, why in faults.items() if why}


def unknown_columns(known: Collection[str], named: Mapping[str, Sequence[str]]) -> list[str]:
    """What is wrong with the columns that are `named` by a field and are not there."""
    return [
        f"{field} names the column {escaped(name)}, which is not there{did_you_mean(name, known)}"
        for field, names in named.items()
        for name in names
        if name not in known
    ]


def _difference(usual: Collection[str], table: TableCounts | TableShape) -> str:
    lacks = [] if table.is_open else sorted(set(usual) - set(table.names))
    more = sorted(set(table.names) - set(usual))
    told = [f"it lacks the columns {listed(lacks)}, which most files have"] if lacks else []
    told += [f"it has the columns {listed(more)}, which most files lack"] if more else []
    return "; ".join(told)


def _column(name: str, found: ColumnCounts, rows: int, is_category: bool) -> Column:
    kind = _kind(found, rows, is_category)
    looks = {"category": "text", "decimal comma": "decimal comma", "mixed": "text"}.get(kind, kind)
    example = found.examples.get(looks) or next(iter(sorted(found.examples.values())), "")
    values = {} if found.is_many else _values(kind, found.values)
    return Column(name, kind, rows, found.missing, values, example, _fault(kind, name, found, rows, example))


def _values(kind: str, counts: Mapping[str, int]) -> dict[str, int]:
    """Those that are of the kind."""
    if kind == "number":
        counts = {
            text: count for text, count in counts.items() if number_of(text, is_typed=False) is not None
        }
    if kind == "boolean":
        counts = {text: count for text, count in counts.items() if text in ("true", "false")}
    return dict(sorted(counts.items()))


def _kind(found: ColumnCounts, rows: int, is_category: bool) -> str:
    most, kinds = _MOST * found.present, found.kinds
    if not found.present:
        return "empty"
    if is_category:
        return "text" if found.is_many else "category"
    for kind in ("number", "boolean", "date or time"):
        if kinds[kind] >= most:
            return kind
    if kinds["decimal comma"] and kinds["number"] + kinds["decimal comma"] >= most:
        return "decimal comma"
    if kinds["number"] > (1 - _MOST) * found.present:
        return "mixed"
    is_text = found.is_many or len(found.values) > max(_FEW, rows / 2)
    return "text" if is_text else "category"


def _fault(kind: str, name: str, found: ColumnCounts, rows: int, example: str) -> str:
    told, leave = escaped(name), f"name it in leaveOut: [{escaped(name)}]"
    cell = repr(escaped(example[:40]))
    if kind == "decimal comma":
        if _THOUSANDS.fullmatch(example):
            return f"{told} has commas in its numbers, such as {cell}: write 1234 for thousands, or 1.234"
        return f"{told} has decimal commas, such as {cell}: write them with a point, 12.5"
    if kind == "date or time":
        return f"{told} has dates, such as {cell}: write them as numbers, such as days, or {leave}"
    if kind == "mixed":
        share = found.kinds["number"] / found.present
        other = min(text for looks, text in found.examples.items() if looks != "number")
        return (
            f"{told} mixes numbers ({share:.0%}) with others, such as {escaped(other[:40])!r}: mend it, "
            f"name it in categories: [{told}], or in leaveOut"
        )
    if kind == "text":
        many = "very many, or very long," if found.is_many else f"{len(found.values):,}"
        values = f"{many} different values in {rows:,} rows"
        return f"{told} is text or an identifier, such as {cell}: {values}; {leave}"
    return ""
