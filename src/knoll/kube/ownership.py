"""Owners: when a Model is deleted, Kubernetes deletes its parts."""

from collections.abc import Mapping
from typing import Any

from knoll.models import API_VERSION, KIND

__all__ = ["owned"]


def owned(document: dict[str, Any], model: Mapping[str, Any]) -> dict[str, Any]:
    """The object with this Model as its owner, so that it is deleted with the Model."""
    metadata = model["metadata"]
    owner = {"apiVersion": API_VERSION, "kind": KIND, "name": metadata["name"], "uid": metadata["uid"]}
    return {**document, "metadata": {**document["metadata"], "ownerReferences": [owner]}}
