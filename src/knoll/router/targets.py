"""The Revisions that share the traffic of an InferenceService, as its status names them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Target", "targets_of"]


@dataclass(frozen=True)
class Target:
    """A Revision, its percentage of the traffic, and its tag or ""."""

    revision: str
    percent: int
    tag: str = ""


def targets_of(traffic: Sequence[Mapping[str, Any]]) -> tuple[Target, ...]:
    """The targets of `status.components.predictor.traffic`; the newest Revision is the first one."""
    newest_first = sorted(traffic, key=lambda one: not one.get("latestRevision"))
    return tuple(
        Target(str(one["revisionName"]), int(one.get("percent") or 0), str(one.get("tag") or ""))
        for one in newest_first
        if one.get("revisionName")
    )
