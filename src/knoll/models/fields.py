"""What pydantic knows of a model's fields, in words: type, unit, range, default and meaning.

Faults, documents and `knoll families` show the same facts. A field adds to its schema what pydantic cannot
know: `unit` of a number, `none` for what happens without a value, `kind` and `range` of a text.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel

from knoll.models.units import as_duration

__all__ = ["REQUIRED", "FieldFacts", "fields_of", "model_in"]

REQUIRED = "required"

_BOUNDS = {
    "minimum": ("≥", "at least"),
    "gt": (">", "more than"),
    "exclusiveMinimum": (">", "more than"),
    "maximum": ("≤", "at most"),
    "le": ("≤", "at most"),
    "exclusiveMaximum": ("<", "less than"),
}
_KINDS = {
    "integer": "whole number",
    "string": "text",
    "boolean": "true or false",
    "object": "map",
    "array": "list",
}
_RANGES = {
    "number": "any",
    "whole number": "any",
    "text": "any text",
    "duration": "≥ 0s",
    "quantities": "≥ 0",
    "fields": "see below",
}


@dataclass(frozen=True)
class FieldFacts:
    """A field as a document has it. A bound is a sign, its words, and a number. `choices` are all values, if
    they are few. `default` is a value as it is written; `without` says what happens without one."""

    name: str
    kind: str
    unit: str
    bounds: tuple[tuple[str, str, str], ...]
    choices: tuple[str, ...]
    other: str
    default: str
    without: str
    meaning: str

    @property
    def range(self) -> str:
        """Which values it may have, with signs: "≥ 1, ≤ 64"."""
        signs = ", ".join(f"{sign} {number}" for sign, _, number in self.bounds)
        return ", ".join(self.choices) or signs or self.other

    @property
    def bounds_in_words(self) -> str:
        """ "at least 1 and at most 64"; "" if it has no bounds."""
        return " and ".join(f"{word} {number}" for _, word, number in self.bounds)


def fields_of(kind: type[BaseModel], *, by_alias: bool = True) -> list[FieldFacts]:
    """The fields of a model, in its order."""
    schema = kind.model_json_schema(by_alias=by_alias)
    needed = schema.get("required", ())
    return [_facts(name, one, name in needed) for name, one in schema["properties"].items()]


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The model in an annotation such as `GateSpec | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in get_args(annotation) if (found := model_in(one))), None)


def _facts(name: str, schema: Mapping[str, Any], is_needed: bool) -> FieldFacts:
    part = _part(schema)
    kind = _kind(part)
    without = (
        "its own defaults" if kind == "fields" and "anyOf" not in schema else str(schema.get("none", ""))
    )
    return FieldFacts(
        name=name,
        kind=kind,
        unit=str(part.get("unit", "")),
        bounds=tuple(_bounds(part)),
        choices=tuple(_choices(part)),
        other=str(part.get("range") or _RANGES.get(kind, "")),
        default=_default(schema),
        without=REQUIRED if is_needed else without,
        meaning=str(schema.get("description", "")),
    )


def _part(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema without the null beside another type."""
    return {**schema, **next((one for one in schema.get("anyOf", ()) if one != {"type": "null"}), {})}


def _kind(part: Mapping[str, Any]) -> str:
    if "$ref" in part:
        return "fields"
    if "enum" in part:
        return "choice"
    return str(part.get("kind") or _KINDS.get(part.get("type", ""), part.get("type", "any")))


def _choices(part: Mapping[str, Any]) -> list[str]:
    if part.get("type") == "boolean":
        return ["true", "false"]
    return [str(one) for one in part.get("enum", ())]


def _bounds(part: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Those of the number, or of each number of a list."""
    written = as_duration if part.get("kind") == "duration" else _number
    for source in (part, part.get("items", {})):
        yield from ((*signs, written(source[key])) for key, signs in _BOUNDS.items() if key in source)


def _default(schema: Mapping[str, Any]) -> str:
    default = schema.get("default")
    if default is None:
        return ""
    if schema.get("kind") == "duration":
        return as_duration(default)
    return default if isinstance(default, str) else json.dumps(default)


def _number(value: float) -> str:
    """The number as a reader likes it: a large power of two as such."""
    if value > 1e9 and int(value).bit_count() == 1:
        return f"2^{int(value).bit_length() - 1}"
    return str(int(value)) if value == int(value) else f"{value:g}"
