"""What a rollout has decided about a version."""

from dataclasses import dataclass
from typing import Any

from knoll.errors import NewerSchema
from knoll.ports import Platform
from knoll.records.rollout import find_last_step

__all__ = ["LastDecision", "read_verdict", "verdict_document", "verdict_of"]

_NAMES = {
    "Promote": "Promoted",
    "Mend": "Promoted",  # only a champion is damaged, and only it is mended
    "Reject": "Refused",
    "Hold": "Held",
    "Rollback": "RolledBack",
    "Fallback": "Damaged",
    "Damage": "Damaged",
}


@dataclass(frozen=True)
class LastDecision:
    """The last decision about a version: Promoted, Refused by the gate, Held until somebody approves it,
    RolledBack, Damaged, or OnTrial while its rollout goes on. `name` is "" if no rollout has looked at the
    version yet."""

    name: str = ""
    reason: str = ""
    version: str = ""

    @property
    def is_bad(self) -> bool:
        """Whether the version may not serve."""
        return self.name in ("Refused", "Held", "RolledBack", "Damaged")

    @property
    def is_settled(self) -> bool:
        """Whether its rollout is over."""
        return self.name not in ("", "OnTrial")


def read_verdict(platform: Platform, model: str, version: str) -> LastDecision:
    """The verdict on a version, from the records of its rollout: they outlive the Model. If only a newer
    knoll understands them, it has no name, and the reason says so."""
    try:
        step = find_last_step(model, version, platform.bucket) if version else None
    except NewerSchema as error:
        return LastDecision(reason=f"{error}: {error.fix}", version=version)
    return verdict_of(step.action, step.reason, version) if step else LastDecision()


def verdict_of(action: str, reason: str, version: str) -> LastDecision:
    """The verdict that an action of a rollout means."""
    return LastDecision(_NAMES.get(action, "OnTrial"), reason, version) if action else LastDecision()


def verdict_document(verdict: LastDecision) -> dict[str, Any] | None:
    """The verdict as `-o json` shows it; null if there is none."""
    if not verdict.name:
        return None
    return {"version": verdict.version, "verdict": verdict.name, "reason": verdict.reason}
