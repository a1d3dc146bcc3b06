"""Decides what KServe in Knative mode would make of an InferenceService.

Two things differ from Knative. If a Revision is replaced before it was ever ready, it is deleted at once.
While a model sleeps, its modelStatus stays UpToDate.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from knoll.kube.predictors import predictor_status
from knoll.laptop.serving.revisions import (
    has_same_template,
    has_tag_routing,
    new_revision,
    owner_uid,
    revision_name,
    revision_number,
    verdict,
)
from knoll.laptop.serving.status import isvc_status
from knoll.laptop.serving.traffic import Rollout, settle
from knoll.ports import Document

__all__ = ["ServingPlan", "plan"]


@dataclass(frozen=True)
class ServingPlan:
    """What to write: a new Revision or None, the names of Revisions to delete because nothing refers to them,
    and the InferenceService's status."""

    create: Document | None
    delete: tuple[str, ...]
    status: Document


def plan(isvc: Document, revisions: Sequence[Document], url: str) -> ServingPlan:
    """What follows from an InferenceService and the Revisions that carry its name. `url` is the base URL of
    all models."""
    uid = isvc["metadata"].get("uid")
    own = sorted((one for one in revisions if owner_uid(one) == uid), key=revision_number)
    wanted = new_revision(isvc, revision_number(own[-1]) + 1 if own else 1)
    create = None if own and has_same_template(own[-1], wanted) else wanted
    known = [*own, create] if create else own
    rollout = _rollout(isvc, known)
    kept = {rollout.created, rollout.ready, rollout.rolled_out, rollout.previous} & set(_names(own))
    garbage = tuple(name for name in _names(revisions) if name not in kept)
    return ServingPlan(create, garbage, isvc_status(isvc, rollout, verdict(known[-1]), url))


def _rollout(isvc: Document, known: Sequence[Document]) -> Rollout:
    before, names = predictor_status(isvc), _names(known)
    rolled_out, previous = (
        name if (name := before.get(field, "")) in names else ""
        for field in ("latestRolledoutRevision", "previousRolledoutRevision")
    )
    ready = next((revision_name(one) for one in reversed(known) if verdict(one).status == "True"), "")
    percent = isvc["spec"]["predictor"].get("canaryTrafficPercent")
    return settle(Rollout(names[-1], ready, rolled_out, previous), percent, has_tag_routing(isvc))


def _names(revisions: Sequence[Document]) -> list[str]:
    return [revision_name(one) for one in revisions]
