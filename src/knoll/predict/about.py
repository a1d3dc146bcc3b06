"""What a predictor says about itself: who is there, whether it is ready, and what its tensors are.

A predictor listens only when it is ready, and serves one version until it ends. So all this is known before
the first request.
"""

from collections.abc import Mapping
from typing import Any

import knoll
from knoll.paths import LIVE, MODEL_READY, MODELS, READY, SERVER, V1_MODEL, V2_MODEL, path_of
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
        **{path: {"models": [name]} for path in MODELS},
        path_of(V1_MODEL, name): {"name": name, "ready": True, "example": served.example},
        SERVER: {"name": "knoll", "version": knoll.__version__, "extensions": _EXTENSIONS},
        path_of(V2_MODEL, name): {
            "name": name,
            "versions": versions,
            "platform": _PLATFORM,
            **tensors,
            **served.metadata,
        },
        path_of(MODEL_READY, name): {"name": name, "ready": True},
    }
    changing = served.pages()
    return {path: in_json(200, value) for path, value in told.items() if path not in changing}


def _shown(tensor: Tensor) -> dict[str, Any]:
    datatype, shape = tensor.in_v2
    return {"name": tensor.name, "datatype": datatype, "shape": list(shape)}
