"""The Models of a world: any gate, any concurrency, and a rollout that is as short as one with a canary can
be."""

from knoll.ports import Document

__all__ = ["GATES", "model_document"]

GATES = ("marker", "manifest", "object", "quiet")


def model_document(name: str, gate: str = "marker", concurrency: str = "Queue") -> Document:
    """A Model whose data lies under s3://data/NAME/."""
    landed = {"when": gate, **({"quiet": "20s", "maxWait": "60s"} if gate == "quiet" else {})}
    return {
        "apiVersion": "knoll.dev/v1alpha1",
        "kind": "Model",
        "metadata": {"name": name},
        "spec": {
            "family": "image-classifier",
            "dataset": {"uri": f"s3://data/{name}/", "landed": landed},
            "training": {"retries": 10, "concurrency": concurrency},
            "gate": {"metric": "accuracy", "atLeast": 0.9},
            "rollout": {
                "steps": [50],
                "minRequests": 2,
                "bake": "10s",
                "idle": "replay",
                "progressDeadline": "100s",
            },
        },
    }
