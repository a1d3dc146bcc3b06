"""Who owns the parts of a Model: Kubernetes deletes what a deleted owner had."""

from collections.abc import Mapping
from typing import Any

from knoll.models import API_VERSION, KIND

__all__ = ["owned"]


def owned(document: dict[str, Any], model: Mapping[str, Any]) -> dict[str, Any]:
    """The object as a part of the Model with this document: whoever deletes the Model deletes it, too."""
    metadata = model["metadata"]
    owner = {"apiVersion": API_VERSION, "kind": KIND, "name": metadata["name"], "uid": metadata["uid"]}
    return {**document, "metadata": {**document["metadata"], "ownerReferences": [owner]}}
