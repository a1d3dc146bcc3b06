"""What humans have asked of a rollout, as the slot remembers it.

It is part of the Model's status, under `steering`. Other releases keep it as they find it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["Handled", "Steering", "steering_from_status", "steering_to_status"]


@dataclass(frozen=True)
class Handled:
    """The wish that was handled last: its id, what became of it in words, and whether it was refused."""

    id: str = ""
    answer: str = ""
    is_refused: bool = False


@dataclass(frozen=True)
class Steering:
    """`paused` is who holds the rollout, "" if nobody does, and `paused_at` since when. `undone` is the
    version that a human has replaced by an older one: it is not tried again until the data asks for another.
    `approved` says who approved of a version, and `quarantined` since when one is in quarantine."""

    handled: Handled = Handled()
    paused: str = ""
    paused_at: str = ""
    undone: str = ""
    approved: Mapping[str, str] = field(default_factory=dict)
    quarantined: Mapping[str, str] = field(default_factory=dict)

    def with_pause(self, by: str = "", at: str = "") -> "Steering":
        """The same, but paused by somebody since that time; by nobody for ""."""
        return replace(self, paused=by, paused_at=at)

    def without_undone(self, version: str) -> "Steering":
        """The same, but nobody has undone that version: it has served since."""
        return replace(self, undone="") if self.undone == version else self


def steering_from_status(status: Mapping[str, Any]) -> Steering:
    """Read it from a Model's status; what is missing is empty."""
    found = status.get("steering") or {}
    wish = found.get("wish") or {}
    return Steering(
        handled=Handled(wish.get("id") or "", wish.get("answer") or "", bool(wish.get("refused"))),
        paused=found.get("paused") or "",
        paused_at=found.get("pausedAt") or "",
        undone=found.get("undone") or "",
        approved=dict(found.get("approved") or {}),
        quarantined=dict(found.get("quarantinedAt") or {}),
    )


def steering_to_status(steering: Steering, status: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a status that says it; unknown fields stay. Nothing before the first wish."""
    before = status.get("steering")
    if before is None and steering == Steering():
        return {}
    wish = {
        "id": steering.handled.id,
        "answer": steering.handled.answer,
        "refused": steering.handled.is_refused,
    }
    known = {
        "wish": wish,
        "paused": steering.paused,
        "pausedAt": steering.paused_at,
        "undone": steering.undone,
        "approved": dict(steering.approved),
        "quarantinedAt": dict(steering.quarantined),
    }
    return {"steering": {**(before or {}), **known}}
