"""The fields of declarations in tables, and those of records."""

import dataclasses
import importlib
import inspect
import re
from collections.abc import Sequence

from pydantic import BaseModel

from knoll.models.fields import FieldFacts, fields_of

__all__ = ["bounds", "fields_table", "record", "table"]

_NOTHING = "–"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, without the columns that are empty in each row."""
    kept = [number for number in range(len(headings)) if any(row[number] for row in rows)]
    lines = [
        [headings[number] for number in kept],
        ["---"] * len(kept),
        *([row[number] for number in kept] for row in rows),
    ]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


def fields_table(kind: type[BaseModel]) -> str:
    """A row for each field of a declaration. No cell is empty."""
    rows = [
        (f"`{one.name}`", one.kind, one.unit or _NOTHING, _range(one), _default(one), one.meaning)
        for one in fields_of(kind)
    ]
    return table(("field", "type", "unit", "range", "default", "meaning"), rows)


def record(argument: str) -> str:
    """The fields of a record, in its order, and what its docstring says: its module in `knoll.records`, then
    its class."""
    module, name = argument.split()
    kind = getattr(importlib.import_module(f"knoll.records.{module}"), name)
    names = ", ".join(f"`{one.name}`" for one in dataclasses.fields(kind))
    return f"{' '.join((inspect.getdoc(kind) or '').split())}\n\nAll fields: {names}."


def bounds(kind: type[BaseModel], name: str) -> str:
    """The bounds of a field that is a number, by its name in Python."""
    (field,) = (one for one in fields_of(kind, by_alias=False) if one.name == name)
    return ", ".join(f"{sign} {number}" for sign, _, number in field.bounds)


def _range(field: FieldFacts) -> str:
    return ", ".join(f"`{one}`" for one in field.choices) or _code_uri(field.range) or _NOTHING


def _default(field: FieldFacts) -> str:
    return f"`{field.default}`" if field.default else field.without or _NOTHING


def _code_uri(text: str) -> str:
    return re.sub(r"(s3://\S+)", r"`\1`", text)
