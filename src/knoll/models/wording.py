"""Faults of a declaration in our own words: which field, what stands there, what may stand there."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from knoll.errors import Fault
from knoll.models.fields import REQUIRED, FieldFacts, fields_of, model_in
from knoll.quoting import did_you_mean
from knoll.value_faults import value_fault

__all__ = ["faults_of_fields"]


def faults_of_fields(error: ValidationError, kind: type[BaseModel], *place: str) -> list[Fault]:
    """All faults that pydantic found. `place` is the path of the object that `kind` describes."""
    return [_fault(one, kind, place) for one in error.errors()]


def _fault(error: Any, kind: type[BaseModel], place: Sequence[str]) -> Fault:
    loc = tuple(part for part in error["loc"] if part != "[key]")
    return Fault((*place, *loc), _words(error, loc, kind))


def _words(error: Any, loc: Sequence[Any], kind: type[BaseModel]) -> str:
    name, found = str(error["type"]), error["input"]
    if name == "extra_forbidden":
        known = _names(_model_at(kind, loc[:-1]))
        return f"there is no such field{did_you_mean(loc[-1], known) or _one_of(known)}"
    facts = None if name == "missing" else _facts_at(kind, loc)
    demand = value_fault(error, facts.bounds_in_words, facts.choices) if facts else value_fault(error)
    return f"{demand}{_suggestion(name, found, facts)}{_default(facts)}"


def _suggestion(name: str, found: Any, facts: FieldFacts | None) -> str:
    return did_you_mean(found, facts.choices) if name == "literal_error" and facts else ""


def _default(facts: FieldFacts | None) -> str:
    """What happens if the field is left out."""
    if facts is None or facts.kind == "fields" or facts.without == REQUIRED:
        return ""
    return f" (default: {facts.default or facts.without})" if facts.default or facts.without else ""


def _one_of(known: Sequence[str]) -> str:
    return f"; the fields are {', '.join(known)}" if known else ""


def _names(kind: type[BaseModel] | None) -> list[str]:
    """The names of a model's fields, as a document has them."""
    return [one.alias or name for name, one in kind.model_fields.items()] if kind else []


def _facts_at(kind: type[BaseModel], loc: Sequence[Any]) -> FieldFacts | None:
    """The field at a place below `kind`; for a member of a list or map, the field that has it."""
    for end in range(len(loc), 0, -1):
        owner = _model_at(kind, loc[: end - 1])
        if owner is not None:
            return next((one for one in fields_of(owner) if one.name == loc[end - 1]), None)
    return None


def _model_at(kind: type[BaseModel], loc: Sequence[Any]) -> type[BaseModel] | None:
    for part in loc:
        named = {one.alias or name: one for name, one in kind.model_fields.items()}
        inner = model_in(named[part].annotation) if part in named else None
        if inner is None:
            return None
        kind = inner
    return kind
