"""Instances of strangers, for each codec."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from knoll.codecs import decode
from knoll.errors import KnollError
from knoll.families.text.tokens import learn_tokenizer
from knoll.records.signature import Signature, Tensor, with_files

__all__ = ["instances", "read_instances"]

_ONE = {"picture": [[[1, 2, 3]] * 8] * 8, "latent": {"seed": 7}, "columns": [1, 2]}
_WHOLE = {"latent": [0.1, 0.2, 0.3, 0.4]}
_ENCODED = {"picture": {"b64": "iVBORw0KGgo="}, "latent": _WHOLE, "columns": [3, 4]}
_ROW = {"age": 63, "sex": "F", "smokes": True}
_HISTORY = {"time": "2026-01-05T09:00", "history": {"north": [1, None, 3, 4]}, "events": ["2026-01-05"]}
_SEEDS: tuple[Any, ...] = (
    *([_ONE], [_ENCODED], [_ONE, _ENCODED], [_ROW], [{**_ROW, "age": "NA", "sex": " M "}]),
    *([_HISTORY], [{**_HISTORY, "events": {"free": ["2026-01-05T10:00"]}}]),
    *(["a good film", {"text": "<none> not a good day"}],),
)


@cache
def instances() -> tuple[bytes, ...]:
    """Requests in JSON, each right for one codec at least."""
    return tuple(json.dumps(one).encode() for one in _SEEDS)


def read_instances(body: bytes) -> str:
    """Let each codec read the instances. Returns a fault, or ""."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    for signature in _signatures():
        try:
            arrays = decode(asked, signature)
        except KnollError:
            continue
        for tensor in signature.inputs:
            if not _is_like(arrays[tensor.name], tensor):
                return f"effect: {arrays[tensor.name]!a:.200} for {tensor.codec}"
    return ""


def _is_like(array: Any, tensor: Tensor) -> bool:
    """Whether it has the shape of the tensor, and numbers alone."""
    return array.shape[1:] == tensor.shape[1:] and bool(np.isfinite(array).all())


@cache
def _signatures() -> tuple[Signature, ...]:
    mixed = (
        Tensor("picture", "FP32", (-1, 3, 8, 8), "image", {"mode": "RGB", "width": 8, "height": 8}),
        Tensor("latent", "FP32", (-1, 4), "latent", {"size": 4}),
        Tensor("columns", "INT64", (-1, 2)),
    )
    columns = [
        _column("age", "number", 63),
        _column("sex", "category", "F", categories=["F", "M"]),
        _column("smokes", "boolean", False, categories=["false", "true"], optional=True),
    ]
    row = Tensor("row", "FP32", (-1, 3, 2), "row", {"columns": columns, "ignored": [], "missing": ["?"]})
    hours: Mapping[str, Any] = {
        "names": ["north"],
        "events": ["free"],
        "usual": [5],
        "step": 3600,
        "offset": 0,
        "zoned": False,
        "latest": "2026-01-05T00:00",
        "history": 4,
        "horizon": 2,
    }
    window = Tensor("window", "FP32", (-1, 4, 6, 2), "series", hours)
    of_text = {"is_text": True, "file": "tokenizer.json", "example": "a good film"}
    text = Signature((Tensor("text", "INT32", (-1, 8), "text", of_text),), ())
    tokenizer = learn_tokenizer(["a good film", "not a good day"] * 3, 400, lowercase=True)
    plain = (Signature(one, ()) for one in (mixed, (row,), (window,)))
    return (*plain, with_files(text, {"tokenizer.json": tokenizer.encode()}))


def _column(name: str, kind: str, example: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "kind": kind, "example": example, "optional": False, **more}
