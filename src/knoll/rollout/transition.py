"""What was decided last, as the slot keeps it until its record is written."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

__all__ = ["Transition", "read_transition"]


@dataclass(frozen=True)
class Transition:
    """What the record of a decision says, or that of the answer to a wish. `wish` and `by` are the id of the
    wish that asked for it, and who that was."""

    number: int = 0
    action: str = ""
    at: str = ""
    version: str = ""
    percent: int = 0
    reason: str = ""
    evidence: Mapping[str, int] = field(default_factory=dict)
    wish: str = ""
    by: str = ""
    comparison: Mapping[str, Any] = field(default_factory=dict)
    cause: str = ""
    verdict: Mapping[str, Any] = field(default_factory=dict)
    gate: Mapping[str, Any] = field(default_factory=dict)


def read_transition(found: Mapping[str, Any] | None) -> Transition | None:
    """The transition in a status; None for none. Unknown fields are passed over, and missing ones empty."""
    if not found:
        return None
    return Transition(**{one.name: found[one.name] for one in fields(Transition) if one.name in found})
