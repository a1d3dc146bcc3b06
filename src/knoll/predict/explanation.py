"""Why a version has answered with a class: how much each part of what was asked counts for it, such as each
word of a text.

A part is left out, and the version answers again. The weight of the part is by how much the log-odds of the
class, ln p / (1 - p), are then lower. So it is exact, by its definition: whoever asks without the part, sees
it. See https://arxiv.org/abs/1612.08220.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from math import log
from typing import Any

import numpy as np

from knoll.codecs import CODECS, Array, Reading, decode
from knoll.errors import InvalidInstance
from knoll.records.signature import Signature

__all__ = ["explain"]

_MOST_PARTS = 2000  # of a request
_LEAST = 1e-30  # a probability
_Run = Callable[[Mapping[str, Array]], Mapping[str, Array]]


def explain(
    instances: Sequence[Any], signature: Signature, run: _Run, batch: int, reading: Reading
) -> Iterator[list[dict[str, Any]]]:
    """For each instance its parts in their order, each with its weight. `run` makes outputs (B, ...) of
    inputs (B, ...), for B up to `batch`. Raises InvalidInstance if answers or parts are unknown here, and
    what `run` and `reading` raise."""
    labelled = [one for one in signature.outputs if one.labels]
    parts_of = CODECS[signature.inputs[0].codec].parts if len(signature.inputs) == 1 else None
    if len(labelled) != 1 or parts_of is None:
        raise InvalidInstance("this model explains no answers", fix="leave explain out")
    (tensor,), answer, left = signature.inputs, labelled[0].name, _MOST_PARTS
    for index, instance in enumerate(instances):
        whole = run(decode([instance], signature, first=index, reading=reading))[answer][0]
        label, weights = int(whole.argmax()), list[dict[str, Any]]()
        parts = iter(parts_of(instance, tensor, reading))
        while some := [*islice(parts, batch)]:
            if (left := left - len(some)) < 0:
                raise InvalidInstance(
                    f"the instances have more than {_MOST_PARTS:,} parts to explain",
                    fix="send fewer at a time",
                )
            reading.check()
            without = run({tensor.name: np.stack([row for _, row in some])})[answer]
            weights += [
                {"part": name, "weight": _log_odds(whole, label) - _log_odds(row, label)}
                for (name, _), row in zip(some, without, strict=True)
            ]
        yield weights


def _log_odds(shares: Array, label: int) -> float:
    """Of one class, by the probabilities of all (K,): 1 - p would round where p is nearly 1."""
    own = float(shares[label])
    return log(max(own, _LEAST)) - log(max(float(np.delete(shares, label).sum(dtype=np.float64)), _LEAST))
