"""The Models of a world: any gate, any concurrency, and a rollout that is as short as one with a canary can
be."""

from collections.abc import Mapping
from typing import get_args

from knoll.models.hooks import HookType
from knoll.ports import Document
from support import models

__all__ = ["GATES", "POLICIES", "model_document"]

GATES = ("marker", "manifest", "object", "quiet")
POLICIES: Mapping[str, Document] = {
    "short": {},
    "judged": {"margin": 0.2},
    "one by one": {"strategy": "resource", "steps": []},
    "shadow": {"mode": "shadow", "shadow": 50, "steps": []},
    "sticky": {"sticky": "header:x-user", "steps": [20, 50]},
    "expiring": {"quarantine": "2h"},
    "hooked": {"hooks": [{"type": kind, "url": f"http://hooks/{kind}"} for kind in get_args(HookType)]},
}
_ROLLOUT = {
    "steps": [50],
    "minRequests": 2,
    "margin": 1,
    "bake": "10s",
    "idle": "replay",
    "progressDeadline": "100s",
}


def model_document(
    name: str, gate: str = "marker", concurrency: str = "Queue", policy: str = "short"
) -> Document:
    """A Model whose data lies under s3://data/NAME/; `policy` is the name of one of POLICIES."""
    landed = {"when": gate, **({"quiet": "20s", "maxWait": "60s"} if gate == "quiet" else {})}
    training = {"retries": 10, "concurrency": concurrency}
    gate_of_versions = {"metric": "accuracy", "atLeast": 0.9}
    return models.model_document(
        name, landed, training=training, gate=gate_of_versions, rollout=_ROLLOUT | POLICIES[policy]
    )
