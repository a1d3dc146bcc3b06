"""The codec `classes`: probabilities become a label and the probability of each label."""

from typing import Any

from knoll.codecs.tensor import Array
from knoll.records.signature import Tensor

__all__ = ["encode_classes"]


def encode_classes(batch: Array, tensor: Tensor) -> list[Any]:
    """(B, K) -> {"label", "probabilities"} for each row."""
    labels = [str(label) for label in tensor.options["labels"]]
    return [
        {
            "label": labels[int(row.argmax())],
            "probabilities": dict(zip(labels, row.astype(float).tolist(), strict=True)),
        }
        for row in batch
    ]
