"""The Models of a world: any gate, any concurrency, and a rollout that is as short as one with a canary can
be."""

from knoll.ports import Document
from support import models

__all__ = ["GATES", "model_document"]

GATES = ("marker", "manifest", "object", "quiet")
_ROLLOUT = {
    "steps": [50],
    "minRequests": 2,
    "margin": 1,
    "bake": "10s",
    "idle": "replay",
    "progressDeadline": "100s",
}


def model_document(name: str, gate: str = "marker", concurrency: str = "Queue") -> Document:
    """A Model whose data lies under s3://data/NAME/."""
    landed = {"when": gate, **({"quiet": "20s", "maxWait": "60s"} if gate == "quiet" else {})}
    training = {"retries": 10, "concurrency": concurrency}
    gate_of_versions = {"metric": "accuracy", "atLeast": 0.9}
    return models.model_document(name, landed, training=training, gate=gate_of_versions, rollout=_ROLLOUT)
