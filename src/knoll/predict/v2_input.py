"""One input tensor of a V2 request."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from knoll.codecs import CODECS, DTYPES, Array, Reading, check_tensor, read_typed
from knoll.errors import InvalidInstance
from knoll.predict.texts import read_texts
from knoll.records.signature import Tensor
from knoll.v2_parameters import BINARY_SIZE

__all__ = ["MOST_SIDES", "read_input"]

MOST_SIDES = 32  # numpy's own limit lies between 32 and 64
_MOST_EMPTY = 2**16  # places of an empty tensor if its sides of 0 were 1: no number of bytes bounds them


def read_input(
    described: Mapping[str, Any], raw: memoryview | None, tensor: Tensor, reading: Reading
) -> Array:
    """The tensor of the JSON, or of the raw bytes; texts become the tensor that the graph takes. Raises
    InvalidInstance, and what `reading` raises."""

    def told(text: str) -> None:
        reading.warn(f"input {tensor.name!r}: {text}")

    try:
        shape = _shape(described.get("shape"))
        datatype, (wanted, _) = described.get("datatype"), tensor.in_v2
        if datatype != wanted:
            said = f"is {datatype[:20]}" if isinstance(datatype, str) else "is missing, or no text"
            raise InvalidInstance(f"its datatype {said}; send {wanted}")
        data = described.get("data")
        if (data is None) == (raw is None):
            raise InvalidInstance(f"it needs either data or {BINARY_SIZE}")
        if tensor.takes_text:
            return read_texts(data, raw, shape, tensor, replace(reading, warn=told))
        array = _from_json(data, shape, tensor, told) if raw is None else _from_bytes(raw, shape, tensor)
        check_tensor(array, tensor.shape)
        return CODECS[tensor.codec].fitted(array, tensor, told)
    except InvalidInstance as error:
        raise InvalidInstance(f"input {tensor.name!r}: {error}", fix=error.fix) from error


def _shape(found: Any) -> list[int]:
    if not isinstance(found, list) or not found:
        raise InvalidInstance("its shape is no list of numbers")
    if len(found) > MOST_SIDES:
        raise InvalidInstance(f"its shape has {len(found)} sides, more than {MOST_SIDES}")
    if not all(isinstance(one, int) and not isinstance(one, bool) for one in found):
        raise InvalidInstance("its shape has a side that is no whole number")
    if min(found) < 0:
        raise InvalidInstance(f"its shape has the negative side {min(found)}", fix="send the size itself")
    if found[0] == 0:
        raise InvalidInstance("its batch is empty", fix="the first number of its shape must be 1 or more")
    return found


def _from_json(data: Any, shape: Sequence[int], tensor: Tensor, warn: Callable[[str], None]) -> Array:
    if not isinstance(data, list):
        raise InvalidInstance("its data is no list")
    return _reshape(read_typed(data, tensor.datatype, None, warn), shape)


def _from_bytes(raw: memoryview, shape: Sequence[int], tensor: Tensor) -> Array:
    dtype = np.dtype(DTYPES[tensor.datatype])
    if len(raw) % dtype.itemsize:
        raise InvalidInstance(f"its {len(raw)} bytes are no whole number of {tensor.datatype}")
    array = np.frombuffer(raw, np.uint8 if dtype == np.bool_ else dtype)
    if dtype == np.bool_ and array.size and array.max() > 1:
        raise InvalidInstance("a byte of a BOOL is neither 0 nor 1")
    return _reshape(array.astype(dtype, copy=False), shape)


def _reshape(array: Array, shape: Sequence[int]) -> Array:
    if math.prod(shape) != array.size:
        raise InvalidInstance(f"its shape {list(shape)} needs {math.prod(shape)} numbers, not {array.size}")
    if not array.size and math.prod(side or 1 for side in shape) > _MOST_EMPTY:
        raise InvalidInstance(
            f"its shape {list(shape)} is too large for a tensor without numbers",
            fix="send fewer instances at a time, and the sizes that the data has",
        )
    return array.reshape(shape)
