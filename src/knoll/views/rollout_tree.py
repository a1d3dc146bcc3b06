"""The rollout of a model as a tree: its versions with their traffic, and what is judged of the candidate."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from knoll.models import RolloutSpec, readable_models
from knoll.ports import Platform
from knoll.rollout.evidence import Verdict
from knoll.rollout.evidence.arms import SUSPICION
from knoll.rollout.slot import Slot, slot_from_status
from knoll.views.estimate import Estimate, estimate_document, estimated
from knoll.views.models import ModelView
from knoll.views.revisions import RevisionView, read_revisions
from knoll.views.rollouts import RolloutView, read_rollout, rollout_document

__all__ = ["RolloutTree", "SideView", "read_rollout_tree", "tree_document"]

_ON_TRIAL = ("Canary", "Baking", "RollingBack")


@dataclass(frozen=True)
class SideView:
    """A version with a role in the rollout, and its percentage of the traffic. `state` is "ready" or says
    why its Revision is not; "" if it has none."""

    role: str
    version: str
    percent: int
    state: str


@dataclass(frozen=True)
class RolloutTree:
    """The rollout, and the versions in it: champion, candidate, previous. `since` is when phase or step
    began, and `steps` are the percentages of the policy. `verdict` is what the evidence says about the
    candidate, and `estimate` what is still needed; None if nothing is judged, or needed. `suspicion` is E of
    the bake, when only the candidate serves, and the bound at which the traffic is shared again."""

    rollout: RolloutView
    sides: Sequence[SideView]
    since: str
    steps: Sequence[int]
    min_requests: int
    in_step: int
    verdict: Verdict | None
    estimate: Estimate | None
    suspicion: tuple[float, float] | None = None


def read_rollout_tree(platform: Platform, model: str) -> RolloutTree:
    """The tree of a model. Raises NotFound for no such model."""
    view = read_rollout(platform, model)
    slot = slot_from_status(view.model.document.get("status") or {})
    policy = next((one.rollout for one in readable_models([view.model.document])), RolloutSpec())
    judged = slot.verdict if slot.phase in _ON_TRIAL else None
    return RolloutTree(
        view,
        _sides(platform, view.model),
        slot.since,
        policy.shares,
        policy.min_requests,
        slot.evidence.counts.in_step,
        judged,
        estimated(slot, policy, judged.missing if judged else 0, platform.clock.now()),
        _suspicion(slot),
    )


def tree_document(tree: RolloutTree) -> dict[str, Any]:
    """The tree as `-o json` shows it: what `knoll rollout status` shows, and more."""
    return {
        **rollout_document(tree.rollout),
        "steps": list(tree.steps),
        "since": tree.since,
        "versions": [asdict(one) for one in tree.sides],
        "minRequests": tree.min_requests,
        "inStep": tree.in_step,
        "verdict": _verdict_document(tree.verdict),
        "suspicion": dict(zip(("e", "at"), tree.suspicion, strict=True)) if tree.suspicion else None,
        "estimate": estimate_document(tree.estimate),
    }


def _verdict_document(found: Verdict | None) -> dict[str, Any] | None:
    if found is None:
        return None
    arms = [
        {"arm": one.arm, "outcome": one.outcome, **one.numbers(), "missing": one.missing}
        for one in found.arms
    ]
    told = {"outcome": found.outcome, "reason": found.reason, "missing": found.missing}
    return {**told, "pauses": found.pauses, "isSuspected": found.is_suspected, "arms": arms}


def _suspicion(slot: Slot) -> tuple[float, float] | None:
    if slot.judgement is None or slot.phase != "Baking":
        return None
    return slot.judgement.suspicion.most, SUSPICION[1]


def _sides(platform: Platform, model: ModelView) -> list[SideView]:
    revisions = read_revisions(platform, model)
    versions = {role: getattr(model, role) for role in ("champion", "candidate", "previous")}
    return [
        _side(role, version, [one for one in revisions if one.version == version])
        for role, version in versions.items()
        if version
    ]


def _side(role: str, version: str, revisions: Sequence[RevisionView]) -> SideView:
    """The version with all its Revisions: after a rollback the champion has two for a while."""
    is_ready = any(one.ready == "True" for one in revisions)
    newest = max(revisions, key=lambda one: one.created_at, default=None)
    state = "ready" if is_ready else (newest.reason or "starting") if newest else ""
    return SideView(role, version, sum(one.percent for one in revisions), state)
