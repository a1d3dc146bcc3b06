"""The security contexts of our Pods: what the Pod Security Standard "restricted" asks for, and a root file
system that cannot be written."""

from collections.abc import Mapping
from typing import Any

__all__ = ["CONTAINER_SECURITY", "POD_SECURITY"]

POD_SECURITY: Mapping[str, Any] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
CONTAINER_SECURITY: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
