"""What another policy would have decided while the version had traffic."""

from itertools import pairwise

from knoll.models import RolloutSpec
from knoll.records.rollout import RolloutStep
from knoll.rollout.hindsight.ends import Hindsight, as_recorded, seconds_between, unknown
from knoll.rollout.hindsight.pace import Pace
from knoll.rollout.hindsight.passed import has_passed_by, why_not_failed, why_not_passed
from knoll.rollout.hindsight.trials import PastTrial
from knoll.rollout.weighed import ERROR_BUDGET

__all__ = ["in_traffic"]


def in_traffic(trial: PastTrial, policy: RolloutSpec, min_agreement: float) -> Hindsight:
    """How the rollout would have ended once it had traffic. After a suspicion in the bake it has one more
    step. `since` is from when on it might have baked."""
    is_first = not trial.first.champion
    steps, pace, since = 1 if is_first else max(len(policy.shares), 1), Pace(policy.min_requests), ""
    for begin, end in pairwise(trial.in_traffic):
        if begin.action == "Bake":
            said = _after_bake(begin, end, since or begin.at, policy, is_first=is_first)
            steps, pace, since = 1, Pace(policy.min_requests), ""
        else:
            pace = _paced(pace, begin, end, steps, policy)
            is_through = pace.is_through(steps)
            has_passed = is_first or pace.is_skipped or has_passed_by(end, policy, min_agreement)
            has_passed = None if pace.may_be_idle and not has_passed else has_passed
            since = since or ("" if False in (is_through, has_passed) else begin.at)
            if end.action == "Rollback":
                why = "" if end.wish or is_first else why_not_failed(end, policy, min_agreement)
                back = _rolled_back(end, policy, is_first=is_first, might_bake=bool(since))
                said = unknown(end, why) if why else back
            elif end.action == "Bake" and not end.wish and not (is_through and has_passed):
                why = why_not_passed(end, policy, min_agreement)
                said = unknown(end, why) if is_through else _not_through(end, pace, steps, is_through)
            else:
                said = _first_failing(end, policy) if is_first else None
        if said:
            return said
    return as_recorded(trial.last)


def _paced(pace: Pace, begin: RolloutStep, end: RolloutStep, steps: int, policy: RolloutSpec) -> Pace:
    """The pace after a recorded step. Only `idle: replay` would have replayed anything."""
    replayed = end.evidence.get("replayed", 0) - begin.evidence.get("replayed", 0)
    have: int = end.evidence.get("inStep", 0)
    requests = have if policy.idle == "replay" else max(have - replayed, 0)
    is_on = end.action != "Rollback"
    after = pace.after(requests, is_asked=bool(end.wish) and is_on)
    if policy.idle != "promote":
        return after
    was_skipped = is_on and not end.wish and not have
    return after.without_requests(seconds_between(begin.at, end.at), steps, was_skipped=was_skipped)


def _rolled_back(end: RolloutStep, policy: RolloutSpec, *, is_first: bool, might_bake: bool) -> Hindsight:
    """What would have become of a version that was rolled back."""
    if not end.wish and not is_first and not end.verdict:
        return unknown(end, "its record has no numbers of a verdict")
    if not end.wish and is_first and not _fails_too_often(end, policy):
        return unknown(end, f"{_failed(end)}, too few of {policy.min_requests} to roll back")
    return unknown(end, "it might have had all traffic by then") if might_bake else as_recorded(end)


def _not_through(end: RolloutStep, pace: Pace, steps: int, is_through: bool | None) -> Hindsight:
    """That a version was given all traffic, and more steps, or longer ones, were asked for."""
    needed = f"it would have needed {steps} × {pace.min_requests} requests before the bake"
    if is_through is None:
        return unknown(end, f"{needed}; when each step of them was over is not recorded")
    return unknown(end, f"{needed}, and had {pace.total}")


def _after_bake(
    begin: RolloutStep, end: RolloutStep, since: str, policy: RolloutSpec, *, is_first: bool
) -> Hindsight | None:
    """What would have become of it at the end of a bake; None if it would have gone on. It might have baked
    from `since` on."""
    baked = seconds_between(begin.at, end.at)
    if end.action == "Promote":
        if not end.wish and baked < policy.bake:
            return unknown(end, f"it baked for {baked:.0f} s, and would have baked for {policy.bake:g} s")
        return (_first_failing(end, policy) if is_first else None) or as_recorded(end)
    if baked > policy.bake and not is_first:
        why = f"its bake of {policy.bake:g} s would have been over {baked - policy.bake:.0f} s before"
        return Hindsight("Promoted", begin.number, why)
    if seconds_between(since, end.at) > policy.bake:
        return unknown(end, "its bake might have been over by then")
    return (
        _rolled_back(end, policy, is_first=is_first, might_bake=False) if end.action == "Rollback" else None
    )


def _first_failing(end: RolloutStep, policy: RolloutSpec) -> Hindsight | None:
    """What would have become of a first version that was not rolled back; None if it would not have been,
    whenever its failures came."""
    if _fails_too_often(end, policy):
        return Hindsight("RolledBack", end.number, f"{_failed(end)}, too many of {policy.min_requests}")
    if end.evidence.get("errors", 0) <= ERROR_BUDGET * policy.min_requests:
        return None
    return unknown(end, f"{_failed(end)}, and when they did is not recorded")


def _fails_too_often(one: RolloutStep, policy: RolloutSpec) -> bool:
    """Whether a first version, which has nothing beside it, is rolled back."""
    errors, requests = one.evidence.get("errors", 0), one.evidence.get("requests", 0)
    return bool(errors > ERROR_BUDGET * max(requests, policy.min_requests))


def _failed(one: RolloutStep) -> str:
    return f"{one.evidence.get('errors', 0)} of {one.evidence.get('requests', 0)} requests failed"
