"""Tables of what pydantic knows of a model's fields: type, range, default and meaning."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from knoll.models.units import as_duration

__all__ = ["bounds", "fields_table", "table"]

_RANGES = {
    "minimum": "≥ {}",
    "gt": "> {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
}
_TYPES = {
    "integer": "whole number",
    "string": "text",
    "boolean": "true or false",
    "object": "map",
    "array": "list",
}


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
    schema = kind.model_json_schema()
    rows = [
        (
            f"`{name}`",
            _type(one),
            _range(_part(one)),
            "required" if name in schema.get("required", ()) else _default(one),
            one.get("description", ""),
        )
        for name, one in schema["properties"].items()
    ]
    return table(("field", "type", "range", "default", "meaning"), rows)


def _part(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema without the null beside another type."""
    return {**schema, **next((one for one in schema.get("anyOf", ()) if one != {"type": "null"}), {})}


def _type(schema: Mapping[str, Any]) -> str:
    part = _part(schema)
    if "$ref" in part:
        return "fields, see below"
    if "unit" in part:
        return str(part["unit"])
    if "enum" in part:
        return ", ".join(f"`{one}`" for one in part["enum"])
    return _TYPES.get(part["type"], str(part["type"]))


def _range(part: Mapping[str, Any]) -> str:
    inner = part.get("items", {})
    return ", ".join(
        text.format(_number(source[key]))
        for source in (part, inner)
        for key, text in _RANGES.items()
        if key in source
    )


def bounds(kind: type[BaseModel], name: str) -> str:
    """The range of one field, by its name in Python."""
    schema = kind.model_json_schema(by_alias=False)["properties"][name]
    return _range(_part(schema))


def _default(schema: Mapping[str, Any]) -> str:
    default = schema.get("default")
    if default is None:
        return f"none: {schema['none']}" if "none" in schema else ""
    if schema.get("unit") == "duration":
        return f"`{as_duration(default)}`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default}`"


def _number(value: float) -> str:
    """The number as a reader likes it: a large power of two as such."""
    if value > 1e9 and int(value).bit_count() == 1:
        return f"2^{int(value).bit_length() - 1}"
    return f"{value:g}"
