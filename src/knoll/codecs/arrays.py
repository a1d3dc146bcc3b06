"""Nested lists of numbers as arrays, taken literally."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knoll.errors import InvalidInstance

__all__ = ["DTYPES", "Array", "Warn", "check_tensor", "read_numbers", "read_typed"]

Array = NDArray[Any]
Warn = Callable[[str], None]  # is told what was converted

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

_KINDS = {str: "text", dict: "an object", type(None): "null"}
_DEEPEST = 32  # lists within each other
_TOO_LARGE = "it is not made of numbers of 64 bits: one is too large"


def check_tensor(array: Array, shape: Sequence[int]) -> None:
    """Compare an array with a shape, in which -1 is any size. Raises InvalidInstance, also for NaN and
    infinity."""
    if len(array.shape) != len(shape) or any(
        wanted not in (-1, found) for wanted, found in zip(shape, array.shape, strict=True)
    ):
        raise InvalidInstance(f"the shape is {list(array.shape)}, not {list(shape)}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InvalidInstance("a number is NaN or infinity")


def read_typed(value: Any, datatype: str, shape: Sequence[int] | None, warn: Warn) -> Array:
    """Nested lists -> an array of this datatype and shape, or of any shape. `warn` is told if true and false
    became numbers. Raises InvalidInstance if a number would change."""
    numbers = read_numbers(value)
    dtype = DTYPES[datatype]
    if numbers.size and not np.can_cast(numbers.dtype, dtype, "same_kind"):
        raise InvalidInstance(f"its numbers are no {datatype}")
    if numbers.dtype == np.bool_ and dtype is not np.bool_:
        warn("true was taken as 1 and false as 0")
    is_integer = np.issubdtype(dtype, np.integer)
    if is_integer and numbers.size and not np.array_equal(numbers, numbers.astype(dtype)):
        raise InvalidInstance(f"a number is too large for {datatype}")
    with np.errstate(over="ignore"):
        array = numbers.astype(dtype)
    check_tensor(array, array.shape if shape is None else shape)
    return array


def read_numbers(value: Any) -> Array:
    """Nested lists -> an array of whatever kind of number they have. Raises InvalidInstance.

    The kinds are looked at first: numpy would give each number of a list the room of its longest text.
    """
    if _depth(value) > _DEEPEST:
        raise InvalidInstance(f"it is nested too deeply: more than {_DEEPEST} lists within each other")
    kinds = set(map(type, np.array(value, dtype=object).ravel().tolist()))
    if list in kinds:
        raise InvalidInstance("its lists have different lengths")
    strange = sorted(_KINDS.get(one, one.__name__) for one in kinds - {int, float, bool})
    if strange:
        raise InvalidInstance(f"it is not made of numbers: it has {strange[0]}")
    if bool in kinds and len(kinds) > 1:
        raise InvalidInstance("it mixes numbers with true or false")
    try:
        numbers = np.asarray(value)
    except OverflowError as error:
        raise InvalidInstance(_TOO_LARGE) from error
    if numbers.dtype.kind not in "biuf":
        raise InvalidInstance(_TOO_LARGE)
    return numbers


def _depth(value: Any) -> int:
    """How many lists lie within each other, as far as their first parts show it."""
    depth = 0
    while isinstance(value, list) and depth <= _DEEPEST:
        depth += 1
        value = value[0] if value else None
    return depth
