"""Whether a version may serve alone, and what becomes of its trial if it may not."""

from dataclasses import replace
from typing import Any

import pytest

from knoll.rollout.base import may_serve_alone, needs_base, slot_without_trial
from knoll.rollout.slot import Slot
from knoll.rollout.steering import Edit, Steering

TRIAL = Slot(champion="v000001", candidate="v000002", phase="Canary", percent=20)


@pytest.mark.parametrize(
    ("changes", "needs"),
    [
        ({}, True),
        ({"phase": "Deploying", "percent": 0}, True),
        ({"percent": 99}, True),
        ({"percent": 100}, False),
        ({"phase": "Baking"}, False),
        ({"phase": "RollingBack", "percent": 0}, False),
        ({"champion": ""}, False),
        ({"damage": "a file differs"}, False),
        ({"proven": "v000002"}, False),
        ({"steering": Steering(approved={"v000002": "ann"})}, False),
        ({"steering": Steering(edit=Edit(3, ("predictor.minReplicas",)))}, False),
    ],
)
def test_only_a_share_of_an_unproven_version_needs_the_champion(changes: dict[str, Any], needs: bool) -> None:
    assert needs_base(replace(TRIAL, **changes)) == needs


@pytest.mark.parametrize(("base", "who"), [("", "nothing has it"), ("v000000", "v000000 has it")])
def test_a_trial_that_is_put_off_leaves_the_champion_with_all_traffic(base: str, who: str) -> None:
    after = slot_without_trial(TRIAL, base, "now")
    assert (after.phase, after.champion, after.candidate, after.percent) == ("Idle", "v000001", "", 100)
    made = after.transition
    assert made is not None
    assert (made.action, made.version, made.percent, made.at, after.since) == (
        "Withdraw",
        "v000002",
        0,
        "now",
        "now",
    )
    assert made.reason == f"v000001 has no traffic to share any more, {who}; v000002 is tried later"


def test_any_version_may_serve_alone_if_a_human_has_approved_of_it() -> None:
    approved = replace(TRIAL, steering=Steering(approved={"v000003": "ann"}))
    assert [may_serve_alone(approved, one) for one in ("v000002", "v000003")] == [False, True]
