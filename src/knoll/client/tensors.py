"""Arrays as a V2 request with binary tensors, and its answer as arrays.

Arrays are those of numpy, and what has `__array__`, such as tensors of torch on the CPU.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from knoll.client.given import are_pixels, bounded, is_pil, is_table
from knoll.client.metadata import TensorInfo
from knoll.errors import InvalidInstance, KnollError
from knoll.headers import CONTENT_TYPE, LENGTH_OF_JSON
from knoll.media_types import ANY_BYTES
from knoll.v2_parameters import BINARY_OUTPUT, BINARY_SIZE, DESCRIBE_OUTPUTS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "Batches",
    "Meanings",
    "dtype_of",
    "has_arrays",
    "infer_request",
    "no_answer_of_v2",
    "outputs_of",
    "tensors_of",
]

Batches = Mapping[str, "NDArray[Any]"]  # by name
Meanings = Mapping[str, Mapping[str, Any]]  # the parameters of each output
_CHANNELS = (1, 3)


def has_arrays(given: Any) -> bool:
    """Whether all of it are arrays: one, a list of them, or objects of them by name of the input."""
    if isinstance(given, Mapping):
        return bool(given) and all(map(_is_array, given.values()))
    if isinstance(given, list | tuple):
        return bool(given) and all(map(has_arrays, given)) and len({*map(type, given)}) == 1
    return _is_array(given)


def tensors_of(given: Any, inputs: Sequence[TensorInfo]) -> Batches | None:
    """The batch of each input; None if V1 reads it: pixels for a model that takes a picture are fitted to its
    size, and a table of pandas becomes rows if it is no tensor of the input. Raises InvalidInstance."""
    import numpy as np

    if not isinstance(given, Mapping | list | tuple):
        return _named(inputs, given)
    if isinstance(given, Mapping):
        return {name: _batch(name, one, inputs) for name, one in given.items()}
    rows = [tensors_of(one, inputs) for one in given]
    whole = [row for row in rows if row is not None]
    if len(whole) < len(rows):
        return None
    names = whole[0].keys()
    shapes = {tuple((name, one.shape) for name, one in sorted(row.items())) for row in whole}
    if len(shapes) > 1 or any(len(row[name]) != 1 for row in whole for name in names):
        raise InvalidInstance("the arrays of the list have different shapes", fix="send them one by one")
    return {name: np.concatenate([row[name] for row in whole]) for name in names}


def infer_request(tensors: Batches, inputs: Sequence[TensorInfo]) -> tuple[bytes, Mapping[str, str]]:
    """Body and headers. Raises InvalidInstance if it is too large."""
    datatypes = {one.name: one.datatype for one in inputs}
    described = [
        {
            "name": name,
            "shape": list(batch.shape),
            "datatype": datatypes[name],
            "parameters": {BINARY_SIZE: batch.nbytes},
        }
        for name, batch in tensors.items()
    ]
    wanted = {BINARY_OUTPUT: True, DESCRIBE_OUTPUTS: True}
    head = json.dumps({"inputs": described, "parameters": wanted}).encode()
    body = b"".join([head, *(batch.tobytes() for batch in tensors.values())])
    return bounded(body), {CONTENT_TYPE: ANY_BYTES, LENGTH_OF_JSON: str(len(head))}


def outputs_of(body: bytes, headers: Mapping[str, str]) -> tuple[Batches, Meanings]:
    """The outputs of an answer, and what each means, both by name. Raises KnollError if it is no answer of
    V2."""
    import numpy as np

    arrays, meanings = {}, {}
    try:
        at = int(headers.get(LENGTH_OF_JSON, len(body)))
        for one in json.loads(body[:at])["outputs"]:
            parameters = one.get("parameters", {})
            size, dtype = parameters.get(BINARY_SIZE), dtype_of(one["datatype"])
            if size is None:
                flat = np.asarray(one["data"], dtype)
            else:
                flat, at = np.frombuffer(body, dtype, size // dtype.itemsize, at), at + size
            arrays[one["name"]], meanings[one["name"]] = flat.reshape(one["shape"]), parameters
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise no_answer_of_v2() from error
    return arrays, meanings


def no_answer_of_v2() -> KnollError:
    """What is wrong with an answer that has another form."""
    return KnollError("the answer is no answer of V2", fix="see that the URL is right")


def _named(inputs: Sequence[TensorInfo], given: Any) -> Batches | None:
    """An array for the only input."""
    if len(inputs) != 1:
        names = ", ".join(one.name for one in inputs)
        raise InvalidInstance(f"the model has the inputs {names}", fix="give a dict with an array for each")
    (only,) = inputs
    is_of_v1 = _are_rows(given, only) or _are_pixels(given, only)
    return None if is_of_v1 else {only.name: _batch(only.name, given, inputs)}


def _are_rows(given: Any, wanted: TensorInfo) -> bool:
    """Whether it is a table, or a row of one, and not the tensor of that input."""
    return is_table(given) and not any(_fits(given.shape, one) for one in (wanted.shape, wanted.shape[1:]))


def _are_pixels(given: Any, wanted: TensorInfo) -> bool:
    """Whether it is a picture for an input that takes one, and not the tensor of that input itself."""
    import numpy as np

    array = np.asarray(given)
    takes_picture = len(wanted.shape) == 4 and wanted.shape[1] in _CHANNELS and wanted.datatype != "UINT8"
    return takes_picture and are_pixels(array) and not _fits(array.shape, wanted.shape[1:])


def _batch(name: str, given: Any, inputs: Sequence[TensorInfo]) -> "NDArray[Any]":
    """An array with its batch first; one without gets it. Raises InvalidInstance."""
    import numpy as np

    wanted = next((one for one in inputs if one.name == name), None)
    if wanted is None:
        known = ", ".join(one.name for one in inputs)
        raise InvalidInstance(f"there is no input {name!r}; known: {known}", fix="give these")
    array, dtype = np.asarray(given), dtype_of(wanted.datatype)
    is_row = _fits(array.shape, wanted.shape[1:])
    if not is_row and not _fits(array.shape, wanted.shape):
        raise InvalidInstance(
            f"input {name!r}: the array has the shape {list(array.shape)}, not {list(wanted.shape)}",
            fix="-1 is any size, the batch is first; pixels are uint8 [height, width], also with colours",
        )
    if not np.can_cast(array.dtype, dtype, "same_kind"):
        raise InvalidInstance(
            f"input {name!r}: an array of {array.dtype} is no {wanted.datatype}", fix=f"cast it to {dtype}"
        )
    return array.astype(dtype, copy=False)[np.newaxis] if is_row else array.astype(dtype, copy=False)


def _fits(shape: Sequence[int], wanted: Sequence[int]) -> bool:
    return len(shape) == len(wanted) and all(b in (-1, a) for a, b in zip(shape, wanted, strict=True))


def dtype_of(datatype: str) -> "np.dtype[Any]":
    """FP32 is float32; the others have the names of numpy. V2 sends the lowest byte first. Raises
    InvalidInstance."""
    import numpy as np

    try:
        return np.dtype(datatype.lower().replace("fp", "float")).newbyteorder("<")
    except TypeError as error:
        raise InvalidInstance(f"numpy has no type {datatype}", fix="give nested lists of numbers") from error


def _is_array(given: Any) -> bool:
    return hasattr(given, "__array__") and not is_pil(given) and getattr(given, "shape", ()) != ()
