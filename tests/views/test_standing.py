"""Where the rollouts of a model stand is one value, which commands, doctor and pages show alike."""

from typing import Any, get_args

import pytest

from knoll.adapters.memory.platform import memory_platform
from knoll.cli.render.models import phase_words
from knoll.views.doctor import examine
from knoll.views.models import find_model, model_document
from knoll.views.standing import StandingKind
from support.models import model_document as declared

AT = "2026-01-01T00:00:00+00:00"
CANARY = {"candidate": "v000002", "phase": "Canary"}
HELD = {"held": {"version": "v000002", "reason": "answers otherwise", "since": AT}}
PAUSED = {"steering": {"paused": "ann", "pausedAt": AT}}
ROOM = {"noRoom": {"version": "v000002", "reason": "1 Insufficient", "fix": "raise it", "since": AT}}
HOOKS = {"rollout": {"hooks": {"about": "t", "tries": 1, "at": AT, "said": "no"}}}
EDITED = {"steering": {"edit": {"generation": 4, "fields": ["minReplicas"], "by": "bob"}, "paused": "ann"}}
REFUSED = {"rollout": {"transition": {"action": "Reject", "version": "v000002", "at": AT}}}

STANDINGS: tuple[tuple[dict[str, Any], tuple[StandingKind, str, str], str], ...] = (
    ({**CANARY, **EDITED, **ROOM}, ("Edited", "v000002", "bob"), "Canary (edited)"),
    (HELD, ("WaitsForApproval", "v000002", ""), "Idle (v000002 waits for approval)"),
    (
        {**CANARY, **HELD, "phase": "RollingBack"},
        ("WaitsForApproval", "v000002", ""),
        "RollingBack (v000002 waits for approval)",
    ),
    ({**CANARY, **PAUSED, **ROOM}, ("Paused", "v000002", "ann"), "Canary (paused)"),
    (ROOM, ("NoRoom", "v000002", ""), "Idle (v000002 waits for room)"),
    ({**CANARY, **ROOM, "phase": "Deploying"}, ("NoRoom", "v000002", ""), "Deploying (no room)"),
    ({**CANARY, **HOOKS}, ("WaitsForHook", "v000002", ""), "Canary (a hook does not agree)"),
    (REFUSED, ("NotTaken", "v000002", ""), "Idle (v000002 Refused)"),
    ({**CANARY, **REFUSED}, ("", "", ""), "Canary"),
)


@pytest.mark.parametrize(("status", "standing", "phase"), STANDINGS, ids=lambda one: str(one)[:40])
def test_a_standing_and_its_wait_are_about_the_same(
    status: dict[str, Any], standing: tuple[StandingKind, str, str], phase: str
) -> None:
    """Of several that are so, the first counts, and doctor tells what ends that one."""
    platform = memory_platform()
    made = platform.cluster.create(declared("digits"))
    platform.cluster.update({**made, "status": status}, status=True)
    model = find_model(platform, "digits")
    kind, version, by = standing
    assert (model.standing.kind, model.standing.version, model.standing.by) == standing
    assert phase_words(model) == phase
    shown = model_document(model)["standing"]
    assert shown == ({"kind": kind, "version": version, "by": by} if kind else None)
    found = [one for one in examine(platform) if one.place == "Model digits"]
    assert len(found) == (0 if kind in ("", "NotTaken") else 1)
    if found and kind != "Paused":
        assert model.wait is not None
        assert (found[0].what, found[0].fix) == (f"it waits for {model.wait.what}", model.wait.ends)


def test_each_kind_of_standing_is_tried() -> None:
    assert {kind for _, (kind, _, _), _ in STANDINGS} == set(get_args(StandingKind))
