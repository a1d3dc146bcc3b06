"""A right request for a signature, to show to those who ask and to those who sent a wrong one."""

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from knoll.codecs.tensor import DTYPES
from knoll.records.signature import Signature, Tensor

__all__ = ["example_instance", "example_request"]

_MOST_NUMBERS = 4096
_MOST_PIXELS = 4_000_000  # of one colour, they are a few KB as PNG


def example_request(signature: Signature) -> Any:
    """A small V1 request that is answered without a warning; None if only a large one would do."""
    one = example_instance(signature)
    return None if one is None else {"instances": [one]}


def example_instance(signature: Signature) -> Any:
    """The one instance of that request: a value by name, if the signature has several inputs."""
    values = {tensor.name: _example(tensor) for tensor in signature.inputs}
    if any(value is None for value in values.values()):
        return None
    return next(iter(values.values())) if len(values) == 1 else values


def _example(tensor: Tensor) -> Any:
    if tensor.codec == "image":
        body, size = io.BytesIO(), (tensor.options["width"], tensor.options["height"])
        if size[0] * size[1] > _MOST_PIXELS:
            return None
        Image.new(tensor.options["mode"], size).save(body, "PNG")
        return {"b64": base64.b64encode(body.getvalue()).decode()}
    if tensor.codec == "latent":
        return {"seed": 7}
    shape = [max(side, 1) for side in tensor.shape[1:]]
    if np.prod(shape, dtype=float) > _MOST_NUMBERS:
        return None
    return np.zeros(shape, DTYPES[tensor.datatype]).tolist()
