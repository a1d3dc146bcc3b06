"""Why a value does not fit its field, in words of ours: nothing that pydantic says is passed on."""

import re
from collections.abc import Mapping
from typing import Any

from knoll.quoting import escaped, shown

__all__ = ["field_fault", "value_fault"]

_KINDS = {  # by the begin of the name that pydantic has for a fault
    "float": "a number such as 0.95",
    "int": "a whole number",
    "bool": "true or false",
    "string": "text",
    "list": "a list such as [1, 2]",
    "tuple": "a list such as [1, 2]",
    "dict": "an object with fields",
    "mapping": "an object with fields",
    "model": "an object with fields",
    "dataclass": "an object with fields",
    "finite": "a finite number",
    "path": "a path",
}
_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}
_LENGTHS = {
    "string_too_long": "must have at most {max_length:,} character{s}",
    "string_too_short": "must have at least {min_length:,} character{s}",
    "too_long": "has {actual_length} entries, and may have {max_length}",
    "too_short": "has {actual_length} entries, and must have {min_length}",
}


def field_fault(error: Mapping[str, Any]) -> str:
    """One fault of pydantic's list with its field: "files.a.size must be a whole number, not 'x'"."""
    place = escaped(".".join(str(part) for part in error["loc"] if part != "[key]"))
    words = value_fault(error)
    return f"{place} {words}" if place else f"it {words}"


def value_fault(error: Mapping[str, Any], bounds: str = "", choices: tuple[str, ...] = ()) -> str:
    """The same without the field. `bounds` and `choices` say all that the field may have, if they are known;
    else the fault says which bound was broken."""
    name, context, found = str(error["type"]), error.get("ctx") or {}, shown(error["input"])
    if name in ("missing", "missing_argument"):
        return "must be given"
    if name == "value_error":  # our own validators raise it
        return str(context["error"])
    if name in _BOUNDS:
        key, words = _BOUNDS[name]
        return f"must be {bounds or f'{words} {context[key]:g}'}, not {found}"
    if name == "literal_error":
        known = ", ".join(choices or re.findall(r"'([^']*)'", str(context["expected"])))
        return f"must be one of {known}, not {found}"
    if name in _LENGTHS:
        return _LENGTHS[name].format(**context, s="" if 1 in context.values() else "s")
    if wanted := _KINDS.get(name.partition("_")[0]):
        return f"must be {wanted}{f', {bounds}' if bounds else ''}, not {found}"
    return f"cannot be {found}"
