"""The codec `tensor`: nested lists of numbers, taken literally."""

from typing import Any

import numpy as np

from knoll.codecs.arrays import DTYPES, Array, read_typed
from knoll.codecs.codec import Codec
from knoll.codecs.reading import Reading
from knoll.records.signature import PLAIN, Tensor

__all__ = ["TENSOR"]

_MOST_NUMBERS = 4096  # of an example


def _decode(value: Any, tensor: Tensor, reading: Reading) -> Array:
    """Nested lists -> an array of the tensor's shape and datatype. Raises InvalidInstance."""
    return read_typed(value, tensor.datatype, tensor.shape[1:], reading.warn)


def _encode(batch: Array, _: Tensor) -> list[Any]:
    """(B, ...) -> nested lists."""
    return list(batch.tolist())


def _example(tensor: Tensor) -> Any:
    """Zeros; None if there would be many."""
    shape = [max(side, 1) for side in tensor.shape[1:]]
    if np.prod(shape, dtype=float) > _MOST_NUMBERS:
        return None
    return np.zeros(shape, DTYPES[tensor.datatype]).tolist()


TENSOR = Codec(PLAIN, decode=_decode, encode=_encode, example=_example, has_bare_numbers=True)
