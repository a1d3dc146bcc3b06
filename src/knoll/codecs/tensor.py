"""The codec `tensor`: nested lists of numbers, taken literally."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knoll.errors import InvalidInstance
from knoll.records.signature import Tensor

__all__ = ["DTYPES", "Array", "check_tensor", "decode_tensor", "encode_tensors", "read_numbers", "read_typed"]

Array = NDArray[Any]

DTYPES: Mapping[str, type[np.generic]] = {
    "BOOL": np.bool_,
    "UINT8": np.uint8,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
}


def decode_tensor(value: Any, tensor: Tensor) -> Array:
    """Nested lists -> an array of the tensor's shape and datatype. Raises InvalidInstance."""
    return read_typed(value, tensor.datatype, tensor.shape[1:])


def encode_tensors(batch: Array, _: Tensor) -> list[Any]:
    """(B, ...) -> nested lists."""
    return list(batch.tolist())


def check_tensor(array: Array, shape: Sequence[int]) -> None:
    """Compare an array with a shape, in which -1 is any size. Raises InvalidInstance, also for NaN and
    infinity."""
    if len(array.shape) != len(shape) or any(
        wanted not in (-1, found) for wanted, found in zip(shape, array.shape, strict=True)
    ):
        raise InvalidInstance(f"the shape is {list(array.shape)}, not {list(shape)}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InvalidInstance("a number is NaN or infinity")


def read_typed(value: Any, datatype: str, shape: Sequence[int]) -> Array:
    """Nested lists -> an array of this datatype and shape. Raises InvalidInstance if a number would
    change."""
    numbers = read_numbers(value)
    dtype = DTYPES[datatype]
    if not np.can_cast(numbers.dtype, dtype, "same_kind"):
        raise InvalidInstance(f"its numbers are no {datatype}")
    is_integer = np.issubdtype(dtype, np.integer)
    if is_integer and numbers.size and not np.array_equal(numbers, numbers.astype(dtype)):
        raise InvalidInstance(f"a number is too large for {datatype}")
    with np.errstate(over="ignore"):
        array = numbers.astype(dtype)
    check_tensor(array, shape)
    return array


def read_numbers(value: Any) -> Array:
    """Nested lists -> an array of whatever kind of number they have. Raises InvalidInstance."""
    try:
        numbers = np.asarray(value)
    except (ValueError, OverflowError, RecursionError) as error:
        raise InvalidInstance("its lists have different lengths") from error
    if numbers.dtype.kind not in "biuf":
        raise InvalidInstance("it is not made of numbers")
    return numbers
