"""What a predictor says about itself: who is there, whether it is ready, and what its tensors are.

A predictor listens only when it is ready, and serves one version until it ends. So all this is known before
the first request.
"""

from collections.abc import Mapping
from typing import Any

import knoll
from knoll.paths import LIVE, READY
from knoll.predict.answer import Answer, in_json
from knoll.predict.served import Served
from knoll.records.signature import Tensor

__all__ = ["about"]

_EXTENSIONS = ["binary_tensor_data"]  # of Triton, as V2 calls them
_PLATFORM = "onnxruntime_onnx"


def about(served: Served) -> Mapping[str, Answer]:
    """The answers by path, for GET."""
    name, version = served.name, served.version
    tensors = {
        "inputs": [_shown(one) for one in version.signature.inputs],
        "outputs": [_shown(one) for one in version.signature.outputs],
    }
    versions = [version.manifest.version]
    told: dict[str, Any] = {
        "/": {"status": "alive"},
        LIVE: {"live": True},
        READY: {"ready": True},
        "/v1/models": {"models": [name]},
        f"/v1/models/{name}": {"name": name, "ready": True, "example": served.example},
        "/v2": {"name": "knoll", "version": knoll.__version__, "extensions": _EXTENSIONS},
        "/v2/models": {"models": [name]},
        f"/v2/models/{name}": {"name": name, "versions": versions, "platform": _PLATFORM, **tensors},
        f"/v2/models/{name}/ready": {"name": name, "ready": True},
    }
    return {path: in_json(200, value) for path, value in told.items()}


def _shown(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}
