"""The judgement as the slot keeps it."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pydantic import TypeAdapter, ValidationError

from knoll.rollout.evidence.judgement import Judgement
from knoll.rollout.unknown import with_parts

__all__ = ["judgement_to_fields", "read_judgement"]

_ADAPTER: TypeAdapter[Judgement] = TypeAdapter(Judgement)


def judgement_to_fields(
    judgement: Judgement | None, before: Mapping[str, Any] | None = None
) -> dict[str, Any] | None:
    """The judgement as `rollout.judgement` of a status has it; None for none. Unknown fields of the one
    `before` stay, in each object, if it began with the same counts."""
    if judgement is None:
        return None
    known = read_judgement(before)
    is_same = known is not None and known.began == judgement.began
    return with_parts(_ADAPTER.dump_python(judgement, mode="json"), before if is_same else None)


def read_judgement(found: Mapping[str, Any] | None) -> Judgement | None:
    """The judgement in a status; None for none, and for one that cannot be read: it is begun again. Unknown
    fields are passed over, and missing ones have their defaults."""
    with suppress(ValidationError):
        return _ADAPTER.validate_python(found) if found else None
    return None
