"""The codec `classes`: probabilities become a label and the probability of each label."""

from collections.abc import Sequence
from typing import Any

from knoll.codecs.tensor import Array
from knoll.records.signature import Tensor

__all__ = ["encode_classes", "label_row"]


def encode_classes(batch: Array, tensor: Tensor) -> list[Any]:
    """(B, K) -> {"label", "probabilities"} for each row."""
    labels = [str(label) for label in tensor.options["labels"]]
    return [label_row(row, labels) for row in batch]


def label_row(row: Array, labels: Sequence[str]) -> dict[str, Any]:
    """(K,) probabilities -> {"label", "probabilities"}."""
    shares = row.astype(float).tolist()
    return {"label": labels[int(row.argmax())], "probabilities": dict(zip(labels, shares, strict=True))}
