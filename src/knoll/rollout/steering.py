"""What humans have asked of a rollout, as the slot remembers it.

It is part of the Model's status, under `steering`. Other releases keep it as they find it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from knoll.rollout.unknown import with_unknown

__all__ = ["Edit", "Handled", "Steering", "steering_from_status", "steering_to_status"]


_MOST_NAMED = 3  # fields of an edit, in words


@dataclass(frozen=True)
class Handled:
    """The wish that was handled last: its id, what became of it in words, and whether it was refused."""

    id: str = ""
    answer: str = ""
    is_refused: bool = False


@dataclass(frozen=True)
class Edit:
    """A change of the InferenceService that knoll has not made: the generation that it led to, the `fields`
    that are not as knoll wants them, who wrote last, as far as the cluster says, and when it was seen."""

    generation: int
    fields: Sequence[str]
    by: str = ""
    at: str = ""

    @property
    def words(self) -> str:
        """The fields, at most three of them."""
        more = len(self.fields) - _MOST_NAMED
        told = ", ".join(self.fields[:_MOST_NAMED])
        return f"{told} and {more} more" if more > 0 else told

    @property
    def told(self) -> str:
        """Who has changed what."""
        return f"{self.by or 'somebody'} has changed {self.words} of the InferenceService"


@dataclass(frozen=True)
class Steering:
    """`paused` is who holds the rollout, "" if nobody does, and `paused_at` since when. `undone` is the
    version that a human has replaced by an older one: it is not tried again until the data asks for another.
    `approved` says who approved of a version, and `quarantined` since when one is in quarantine. `written` is
    the generation of the InferenceService that knoll's last or next write makes, 0 if that is not known, and
    `written_uid` the uid of that InferenceService, "" if that is not known. `edit` is what somebody else has
    changed in it since: then the rollout waits."""

    handled: Handled = Handled()
    paused: str = ""
    paused_at: str = ""
    undone: str = ""
    approved: Mapping[str, str] = field(default_factory=dict)
    quarantined: Mapping[str, str] = field(default_factory=dict)
    written: int = 0
    written_uid: str = ""
    edit: Edit | None = None

    def with_pause(self, by: str = "", at: str = "") -> "Steering":
        """The same, but paused by somebody since that time; by nobody for ""."""
        return replace(self, paused=by, paused_at=at)

    def with_edit(self, edit: Edit, uid: str) -> "Steering":
        """The same, but what somebody has changed in the InferenceService of that uid stays as it is."""
        return replace(self, written_uid=uid, edit=edit)

    def without_edit(self) -> "Steering":
        """The same, but what somebody has changed, as far as it is known, may be written over."""
        generation = self.edit.generation if self.edit else 0
        return replace(self, written=max(self.written, generation), edit=None)

    def without_undone(self, version: str) -> "Steering":
        """The same, but nobody has undone that version: it has served since."""
        return replace(self, undone="") if self.undone == version else self

    def without_quarantined(self, version: str) -> "Steering":
        """The same, but it is not known since when that version is in quarantine."""
        return replace(self, quarantined={k: at for k, at in self.quarantined.items() if k != version})


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
        written=found.get("written") or 0,
        written_uid=found.get("writtenUid") or "",
        edit=_read_edit(found.get("edit")),
    )


def steering_to_status(steering: Steering, status: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a status that says it; unknown fields stay. Nothing before the first wish."""
    before = status.get("steering")
    if before is None and steering == Steering():
        return {}
    told = {**vars(steering.edit), "fields": list(steering.edit.fields)} if steering.edit else None
    wish = {
        "id": steering.handled.id,
        "answer": steering.handled.answer,
        "refused": steering.handled.is_refused,
    }
    known = {
        "wish": with_unknown(wish, (before or {}).get("wish"), "id"),
        "paused": steering.paused,
        "pausedAt": steering.paused_at,
        "undone": steering.undone,
        "approved": dict(steering.approved),
        "quarantinedAt": dict(steering.quarantined),
        "written": steering.written,
        "writtenUid": steering.written_uid,
        "edit": with_unknown(told, (before or {}).get("edit"), "generation"),
    }
    return {"steering": {**(before or {}), **known}}


def _read_edit(found: Mapping[str, Any] | None) -> Edit | None:
    if not found:
        return None
    fields, generation = tuple(found.get("fields") or ()), found.get("generation") or 0
    return Edit(generation, fields, found.get("by") or "", found.get("at") or "")
