"""Where the rollouts of a model stand, as one value: what holds them up, or how the last one ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from knoll.rollout.comparison import read_held
from knoll.rollout.hooks import read_hooked
from knoll.rollout.room import read_no_room
from knoll.rollout.steering import steering_from_status
from knoll.views.conditions import Condition
from knoll.views.verdicts import LastDecision
from knoll.views.waits import approval_wait, edit_wait, hook_wait, pause_wait, room_wait
from knoll.waits import Wait

__all__ = ["Standing", "StandingKind", "read_standing", "standing_document", "waiting_conditions"]

StandingKind = Literal["", "Edited", "WaitsForApproval", "Paused", "NoRoom", "WaitsForHook", "NotTaken"]


@dataclass(frozen=True)
class Standing:
    """What holds up the rollouts of a model: the first of these states that applies. Edited: somebody has
    changed the InferenceService. WaitsForApproval: a version does. Paused: somebody has paused the rollout.
    NoRoom: a version has no room to start. WaitsForHook: a hook has not agreed. NotTaken: no rollout is in
    progress, and the last one did not take its version. "": nothing.

    `version` is the version concerned, "" for none. `by` is who paused. `wait` says what ends it; None for
    NotTaken and "".
    """

    kind: StandingKind = ""
    version: str = ""
    by: str = ""
    wait: Wait | None = None


def read_standing(model: str, status: Mapping[str, Any], last: LastDecision) -> Standing:
    """Where the rollouts of the model with this status stand; `last` is the last decision about a version."""
    steering, candidate = steering_from_status(status), str(status.get("candidate") or "")
    if steering.edit:
        return Standing("Edited", candidate, steering.edit.by, edit_wait(model, steering.edit))
    if held := read_held(status.get("held")):
        return Standing("WaitsForApproval", held.version, wait=approval_wait(model, held))
    if wait := pause_wait(steering, _rollout(status).get("percent") or 0):
        return Standing("Paused", candidate, steering.paused, wait)
    if no_room := read_no_room(status.get("noRoom")):
        return Standing("NoRoom", no_room.version, wait=room_wait(no_room))
    hooked = read_hooked(_rollout(status).get("hooks"))
    if wait := hook_wait(hooked):
        return Standing("WaitsForHook", candidate or hooked.starts, wait=wait)
    is_idle = status.get("phase") in (None, "", "Idle")
    return Standing("NotTaken", last.version) if is_idle and last.is_bad else Standing()


def waiting_conditions(model: str, status: Mapping[str, Any]) -> tuple[Condition, ...]:
    """A condition for each version of the model that waits for approval, for room or for a hook."""
    held, no_room = read_held(status.get("held")), read_no_room(status.get("noRoom"))
    waits = (
        ("Approved", "WaitsForApproval", approval_wait(model, held) if held else None),
        ("RoomFound", "NoRoom", room_wait(no_room) if no_room else None),
        ("HooksAgree", "WaitsForHook", hook_wait(read_hooked(_rollout(status).get("hooks")))),
    )
    return tuple(Condition(kind, "False", why, wait.words, wait.since) for kind, why, wait in waits if wait)


def standing_document(standing: Standing) -> dict[str, Any] | None:
    """The standing as `-o json` shows it; null if nothing holds the rollouts up. Its wait stands beside
    it."""
    if not standing.kind:
        return None
    return {"kind": standing.kind, "version": standing.version, "by": standing.by}


def _rollout(status: Mapping[str, Any]) -> Mapping[str, Any]:
    return status.get("rollout") or {}
