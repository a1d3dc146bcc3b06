"""Which states and steps of rollouts a world has reached: a rule that nothing reaches proves nothing."""

import json
from collections import Counter
from collections.abc import Iterator

from knoll.ports import Document

__all__ = ["EXPECTED", "in_status", "in_step"]

_PHASES = ("Deploying", "Canary", "Baking", "RollingBack")
_STEPS = (
    *("Start", "Shift", "Bake", "Promote", "Rollback", "Reject", "Hold", "Withdraw"),
    *("Pause", "Resume", "Approve", "Refuse", "Edit", "Unedit"),
)
_STATES = ("stepping back", "judged", "replayed", "undone", "waits for room", "waits for a hook")
EXPECTED = frozenset({*_PHASES, *_STEPS, *_STATES})


def in_status(document: Document) -> Iterator[str]:
    """The states that the status of a Model shows."""
    status = document.get("status") or {}
    rollout, steering = status.get("rollout") or {}, status.get("steering") or {}
    if status.get("phase") in _PHASES:
        yield status["phase"]
    found = {
        "stepping back": status.get("phase") == "RollingBack" and rollout.get("stepsBack"),
        "judged": rollout.get("judgement"),
        "replayed": (rollout.get("evidence") or {}).get("replayed"),
        "undone": steering.get("undone"),
        "waits for room": status.get("noRoom"),
        "waits for a hook": (rollout.get("hooks") or {}).get("said"),
    }
    yield from (name for name, value in found.items() if value)


def in_step(body: bytes) -> Counter[str]:
    """The step in the record of a rollout; none in what is no step."""
    try:
        return Counter([json.loads(body)["action"]])
    except (ValueError, RecursionError, LookupError, TypeError):
        return Counter()
