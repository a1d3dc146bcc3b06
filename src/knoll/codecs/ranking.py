"""The codec `ranking`: the best items and their scores, the best first.

The options of its tensor name the `file` with the catalogue (see `knoll.codecs.basket`), and `top`, how many
items it has. The tensor is float64 (B, top, 2): the number of each item, and its score.
"""

from typing import Any

from knoll.codecs.arrays import Array
from knoll.codecs.basket import open_catalogue
from knoll.codecs.codec import Codec
from knoll.records.signature import Tensor

__all__ = ["RANKING"]


def _encode(batch: Array, tensor: Tensor) -> list[Any]:
    """(B, top, 2) -> {"items", "scores"} for each row."""
    items = tensor.options["content"].made(open_catalogue).items
    return [
        {"items": [items[int(one) - 1] for one in row[:, 0]], "scores": row[:, 1].tolist()} for row in batch
    ]


RANKING = Codec("ranking", encode=_encode)
