"""The judgement as the slot keeps it.

Each of its tallies has the ends of its buckets. There are eight tallies and some sixty ends, so of the usual
ends only the number is written.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from pydantic import TypeAdapter, ValidationError

from knoll.rollout.evidence.judgement import Judgement
from knoll.rollout.evidence.one_sample import OneSample
from knoll.rollout.evidence.paired import Paired
from knoll.rollout.evidence.shares import Shares
from knoll.rollout.evidence.two_sample import TwoSample
from knoll.rollout.replay_times import usual_edges
from knoll.rollout.unknown import with_parts

__all__ = ["judgement_to_fields", "read_judgement"]

_ADAPTER: TypeAdapter[Judgement] = TypeAdapter(Judgement)
_EDGES, _MOST_EDGES = "edges", 64
_NOTHING_JUDGED = [
    TypeAdapter(type(one)).dump_python(one, mode="json")
    for one in (OneSample(), TwoSample(), Paired(), Shares())
]


def judgement_to_fields(
    judgement: Judgement | None, before: Mapping[str, Any] | None = None
) -> dict[str, Any] | None:
    """The judgement as `rollout.judgement` of a status has it; None for none. Unknown fields of the one
    `before` stay, in each object, if it began with the same counts. What nothing was judged by yet is left
    out, so that the status stays small."""
    if judgement is None:
        return None
    known = read_judgement(before)
    kept = (before or {}) if known is not None and known.began == judgement.began else {}
    fields: dict[str, Any] = _with_edges(_ADAPTER.dump_python(judgement, mode="json"), _shortened)
    told = with_parts(fields, kept)
    return {name: one for name, one in told.items() if name in kept or one not in _NOTHING_JUDGED}


def read_judgement(found: Mapping[str, Any] | None) -> Judgement | None:
    """The judgement in a status; None for none, and for one that cannot be read: it is begun again. Unknown
    fields are passed over, and missing ones have their defaults."""
    with suppress(ValidationError):
        return _ADAPTER.validate_python(_with_edges(found, _written_out)) if found else None
    return None


def _with_edges(found: Any, change: Callable[[Any], Any]) -> Any:
    if not isinstance(found, dict):
        return found
    return {name: change(one) if name == _EDGES else _with_edges(one, change) for name, one in found.items()}


def _shortened(edges: list[float]) -> list[float] | int:
    return len(edges) if tuple(edges) == usual_edges(len(edges)) else edges


def _written_out(edges: Any) -> Any:
    return usual_edges(edges) if type(edges) is int and 0 <= edges <= _MOST_EDGES else edges
