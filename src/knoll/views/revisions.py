"""The Revisions behind a model's URL: their version, their role, and their part of the traffic."""

from dataclasses import dataclass

from knoll.kube.labels import GENERATION_LABEL, INFERENCE_SERVICE_LABEL, VERSION_LABEL, label_of
from knoll.ports import Document, Platform
from knoll.views.conditions import conditions_of
from knoll.views.models import ModelView

__all__ = ["RevisionView", "read_revisions"]


@dataclass(frozen=True)
class RevisionView:
    """One Revision. `ready` is True, False or Unknown, and `reason` says why it is not True. `role` is
    champion, candidate, previous or ""."""

    name: str
    generation: str
    version: str
    role: str
    percent: int
    tags: tuple[str, ...]
    ready: str
    reason: str
    created_at: str


def read_revisions(platform: Platform, model: ModelView) -> list[RevisionView]:
    """All Revisions of a model that still exist."""
    served = {INFERENCE_SERVICE_LABEL: model.name}
    return [_revision_view(one, model) for one in platform.cluster.list("Revision", served)]


def _revision_view(revision: Document, model: ModelView) -> RevisionView:
    """A Revision, with its part of the model's traffic and its version's role."""
    metadata = revision["metadata"]
    version = label_of(revision, VERSION_LABEL)
    routes = [one for one in model.routes if one.revision == metadata["name"]]
    ready = next((one for one in conditions_of(revision) if one.type == "Ready"), None)
    return RevisionView(
        name=metadata["name"],
        generation=label_of(revision, GENERATION_LABEL),
        version=version,
        role=model.role_of(version),
        percent=sum(one.percent or 0 for one in routes),
        tags=tuple(one.tag for one in routes if one.tag),
        ready=(ready.status if ready else "") or "Unknown",
        reason=ready.words if ready and ready.status != "True" else "",
        created_at=str(metadata.get("creationTimestamp", "")),
    )
