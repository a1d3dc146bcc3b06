"""Who is at fault if a graph fails: the version if the inputs are like those of its training, else the
client.

Without this, one client could cause the rollback of a good version with numbers that no graph can take.
"""

from collections.abc import Mapping

import numpy as np

from knoll.codecs import CODECS, Array, decode
from knoll.predict.loading import Version
from knoll.records.signature import Tensor

__all__ = ["Usual"]

_Range = tuple[Array, Array]


class Usual:
    """What the inputs of a version usually are: known from their codecs, else from its samples."""

    def __init__(self, version: Version) -> None:
        samples = [decode([one.instance], version.signature) for one in version.samples]
        self._ranges = {
            one.name: _range(one, [sample[one.name] for sample in samples])
            for one in version.signature.inputs
        }

    def why_not(self, inputs: Mapping[str, Array]) -> str:
        """What about the inputs is unusual; "" if nothing is."""
        for name, batch in inputs.items():
            found = self._ranges[name]
            if found is None or not _fits(batch, found):
                return f"the values or the shape of input {name!r} are far from what the model was trained on"
        return ""


def _range(tensor: Tensor, samples: list[Array]) -> _Range | None:
    if usual := CODECS[tensor.codec].usual:
        return np.asarray(usual[0]), np.asarray(usual[1])
    if not samples or len({one.shape for one in samples}) > 1:
        return None
    batch = np.concatenate(samples).astype(np.float64)
    low, high = batch.min(axis=0), batch.max(axis=0)
    return low - (high - low) - 1, high + (high - low) + 1


def _fits(batch: Array, found: _Range) -> bool:
    low, high = found
    if low.ndim and low.shape != batch.shape[1:]:
        return False
    return bool((batch >= low).all() and (batch <= high).all())
