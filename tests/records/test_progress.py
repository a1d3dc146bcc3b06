import json
from typing import Any

from knoll.records.progress import load_progress

OLD: dict[str, Any] = {
    "progress_percentage": 0,
    "estimated_remaining_seconds": None,
    "metrics": {},
    "updated_at": "2026-01-01T00:00:00+00:00",
}


def test_state_and_reason_of_knoll_0_1_are_read_apart() -> None:
    """It wrote them as one text; what a trainer does has no reason, even with a colon."""
    for text, state, reason in (
        ("blocked: all 2 Jobs of the quota are live", "blocked", "all 2 Jobs of the quota are live"),
        ("waiting: ErrImagePull: not found", "waiting", "ErrImagePull: not found"),
        ("training", "training", ""),
        ("reading: part 1", "reading: part 1", ""),
    ):
        found = load_progress(json.dumps({**OLD, "state": text}).encode())
        assert (found.state, found.reason) == (state, reason)
