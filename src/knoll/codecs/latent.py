"""The codec `latent`: what a generator makes a picture of, as a seed or in full."""

from typing import Any

import numpy as np

from knoll.codecs.arrays import Array, read_typed
from knoll.codecs.codec import Codec
from knoll.codecs.reading import Reading
from knoll.errors import InvalidInstance
from knoll.records.signature import Tensor

__all__ = ["LATENT"]

_MOST = 10.0  # no normal random number lies further out


def _decode(value: Any, tensor: Tensor, reading: Reading) -> Array:
    """float32 (size,): the given vector, or normal random numbers, which a seed makes reproducible. Raises
    InvalidInstance."""
    size = tensor.options["size"]
    if not isinstance(value, dict) or not set(value) <= {"seed", "latent"} or len(value) > 1:
        raise InvalidInstance('a latent is {"seed": 7}, {"latent": [...]} or {}')
    if "latent" in value:
        return read_typed(value["latent"], "FP32", (size,), reading.warn)
    seed = value.get("seed")
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**63):
        raise InvalidInstance("seed must be a whole number from 0 to 2^63 - 1")
    latent: Array = np.asarray(np.random.default_rng(seed).standard_normal(size, np.float32))
    return latent


LATENT = Codec("latent", decode=_decode, example=lambda _: {"seed": 7}, usual=(-_MOST, _MOST), is_noise=True)
