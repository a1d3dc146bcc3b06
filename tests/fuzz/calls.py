"""Calls of gRPC as a stranger could send them: ModelInfer with raw and typed tensors."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from knoll.predict.v2_call import read_call
from knoll.records.signature import Signature, Tensor
from knoll.rpc.framing import frame
from knoll.rpc.messages import INFERENCE, MESSAGES, SERVICES
from knoll.rpc.writing import encode

__all__ = ["calls", "read_one_call"]

_SIGNATURE = Signature(
    (Tensor("x", "FP32", (-1, 2)), Tensor("n", "INT16", (-1, 1))), (Tensor("y", "FP32", (-1,)),)
)
_ABOUT = {"model_name": "m", "model_version": "v000001"}


@cache
def calls() -> tuple[bytes, ...]:
    """Messages that are answered."""
    x, n = np.ones((1, 2), "<f4"), np.array([[-3]], "<i2")
    described = [
        {"name": "x", "datatype": "FP32", "shape": [1, 2], "contents": {"fp32_contents": x.ravel()}},
        {"name": "n", "datatype": "INT16", "shape": [1, 1], "contents": {"int_contents": n.ravel()}},
    ]
    bare = [{key: value for key, value in one.items() if key != "contents"} for one in described]
    more = {"id": "7", "outputs": [{"name": "y"}], "parameters": {"describe_outputs": {"bool_param": True}}}
    whole: list[Mapping[str, Any]] = [
        {"inputs": described},
        {"inputs": bare, "raw_input_contents": [x.tobytes(), n.tobytes()]},
        {"inputs": described, **more},
    ]
    takes = SERVICES[INFERENCE]["ModelInfer"].takes
    return tuple(encode({"model_name": "m", **one}, takes, MESSAGES) for one in whole)


def read_one_call(body: bytes) -> str:
    """Read it. Returns what is wrong with what was read, or ""."""
    kept = 0

    def keep(size: int) -> None:
        nonlocal kept
        kept += size

    read = read_call(frame(body), {}, _SIGNATURE, _ABOUT, keep)
    shapes = {name: (one.dtype.str, one.ndim, len(one)) for name, one in read.inputs.items()}
    size = len(read.inputs["x"])
    wanted = {"x": ("<f4", 2, size), "n": ("<i2", 2, size)}
    is_right = shapes == wanted and all(np.isfinite(one).all() for one in read.inputs.values())
    return "" if is_right and kept <= 64 * len(body) else f"effect: {shapes}, {kept} bytes"
