"""A rollout says about how many requests it still needs, and how long they take."""

from datetime import datetime, timedelta
from typing import Any

from knoll.models import RolloutSpec
from knoll.rollout.counted import CandidateCounts, Evidence
from knoll.rollout.slot import Slot
from knoll.views.estimate import Estimate, estimated

SEEN = "2026-01-01T10:00:00+00:00"
POLICY = RolloutSpec.model_validate({"steps": [10, 20, 40], "minRequests": 50})


def after(seconds: float, in_step: int, to_pass: int | None = 0, **changes: Any) -> Estimate | None:
    slot = Slot(champion="v1", candidate="v2", percent=20, step=1, phase="Canary", seen=SEEN)
    counted = Evidence(CandidateCounts(in_step, 0, 0, in_step))
    slot = Slot(**{**vars(slot), "evidence": counted, **changes})
    return estimated(slot, POLICY, to_pass, datetime.fromisoformat(SEEN) + timedelta(seconds=seconds))


def test_later_steps_get_requests_at_the_rate_of_their_share() -> None:
    """Ten requests in ten seconds at 20 %: 40 more at one a second, then 50 at two a second."""
    assert after(10, 10) == Estimate(40, 90, 1.0, 40.0, 40 + 25)


def test_what_a_pass_needs_beyond_the_steps_is_waited_for_in_the_last_one() -> None:
    assert after(10, 10, to_pass=190) == Estimate(40, 190, 1.0, 40.0, 40 + 75)
    assert after(10, 50, to_pass=30, step=2, percent=40) == Estimate(0, 30, 5.0, 0.0, 6.0)


def test_without_requests_no_time_can_be_told() -> None:
    assert after(10, 0) == Estimate(50, 100, 0.0, None, None)
    assert after(10, 10, to_pass=None) == Estimate(40, None, 1.0, 40.0, None)


def test_a_first_version_has_one_step() -> None:
    assert after(10, 10, champion="", percent=100, step=0) == Estimate(40, 40, 1.0, 40.0, 40.0)


def test_a_version_in_the_shadow_has_no_share_and_one_step() -> None:
    shadow = RolloutSpec.model_validate({"mode": "shadow", "minRequests": 50})
    slot = Slot(
        champion="v1",
        candidate="v2",
        phase="Canary",
        seen=SEEN,
        evidence=Evidence(CandidateCounts(10, 0, 0, 10)),
    )
    now = datetime.fromisoformat(SEEN) + timedelta(seconds=10)
    assert estimated(slot, shadow, 0, now) == Estimate(40, 40, 1.0, 40.0, 40.0)


def test_only_a_canary_whose_traffic_is_seen_has_an_estimate() -> None:
    assert after(10, 10, seen="") is None
    assert after(10, 10, phase="Baking") is None
