"""Faults of a declaration in our own words: which field, what stands there, what may stand there."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

__all__ = ["did_you_mean", "faults_of_fields"]

_KINDS = {
    "float": "a number such as 0.95",
    "int": "a whole number",
    "bool": "true or false",
    "string": "text",
    "list": "a list such as [1, 2]",
    "tuple": "a list such as [1, 2]",
    "dict": "an object with fields",
    "mapping": "an object with fields",
    "model": "an object with fields",
    "finite": "a finite number",
}
_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def faults_of_fields(error: ValidationError, kind: type[BaseModel], place: str) -> list[str]:
    """A line for each fault, such as "spec.gate.atLeast: must be a number such as 0.95, not 'x'". `place` is
    the path of the object that `kind` describes."""
    return [_fault(one, kind, place) for one in error.errors()]


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """ "epoch" -> "; did you mean epochs?"; "" if no known word is like it."""
    by_lower = {one.lower(): one for one in known}
    alike = get_close_matches(str(word).lower(), by_lower, 1, 0.6)
    return f"; did you mean {by_lower[alike[0]]}?" if alike else ""


def _fault(error: Any, kind: type[BaseModel], place: str) -> str:
    loc = tuple(part for part in error["loc"] if part != "[key]")
    path = ".".join([place, *map(str, loc)])
    return f"{path}: {_words(error, loc, kind)}"


def _words(error: Any, loc: Sequence[Any], kind: type[BaseModel]) -> str:
    name, context, found = str(error["type"]), error.get("ctx") or {}, error["input"]
    if name == "extra_forbidden":
        known = _fields(kind, loc[:-1])
        return f"there is no such field{did_you_mean(loc[-1], known) or _one_of(known)}"
    if name == "missing":
        return "must be given"
    if name in _BOUNDS:
        key, words = _BOUNDS[name]
        return f"must be {words} {context[key]:g}, not {found!r}"
    if name == "literal_error":
        known = [one.strip(" '") for one in str(context["expected"]).replace(" or ", ", ").split(",")]
        return f"must be one of {', '.join(known)}, not {found!r}{did_you_mean(found, known)}"
    wanted = _KINDS.get(name.partition("_")[0])
    if wanted:
        return f"must be {wanted}, not {found!r}"
    return str(error["msg"]).removeprefix("Value error, ")


def _one_of(known: Sequence[str]) -> str:
    return f"; the fields are {', '.join(known)}" if known else ""


def _fields(kind: type[BaseModel], loc: Sequence[Any]) -> list[str]:
    """The names of the fields at a place below `kind`, as a document has them."""
    for part in loc:
        named: Mapping[str, Any] = {one.alias or name: one for name, one in kind.model_fields.items()}
        inner = _model(named[part].annotation) if part in named else None
        if inner is None:
            return []
        kind = inner
    return [one.alias or name for name, one in kind.model_fields.items()]


def _model(annotation: Any) -> type[BaseModel] | None:
    """The model in an annotation such as `GateSpec | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in get_args(annotation) if (found := _model(one))), None)
