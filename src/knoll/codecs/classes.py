"""The codec `classes`: probabilities become a label and the probability of each label."""

from collections.abc import Sequence
from typing import Any

from knoll.codecs.arrays import Array
from knoll.codecs.codec import Codec
from knoll.records.signature import Tensor

__all__ = ["CLASSES", "label_row"]


def _encode(batch: Array, tensor: Tensor) -> list[Any]:
    """(B, K) -> {"label", "probabilities"} for each row."""
    return [label_row(row, tensor.labels) for row in batch]


def label_row(row: Array, labels: Sequence[str]) -> dict[str, Any]:
    """(K,) probabilities -> {"label", "probabilities"}."""
    shares = row.astype(float).tolist()
    return {"label": labels[int(row.argmax())], "probabilities": dict(zip(labels, shares, strict=True))}


CLASSES = Codec("classes", encode=_encode)
