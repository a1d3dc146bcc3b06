"""Bins of answers: the class of a classifier's answer, or the neighbourhood of a single number.

Champion and candidate must have the same bins, and neither knows the other. So they follow from the signature
alone:

- A class is a bin of its own, in the order of the names; of more than 64, those with the same checksum share
  one.
- A number is in one of 64 bins: by its sign, by its power of two, and by the quarter between two powers.
  Powers that are 8 apart, as 1 and 256, share their bins, so there is no smallest or largest number.
- Other answers, such as pictures, are in bin 1 if they are the same as the one before, though another thing
  was asked, else in bin 0.

Of a request with several instances only the first one counts: those of one client say nothing new.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import frexp, prod
from zlib import crc32

import numpy as np

from knoll.codecs import CODECS, Array
from knoll.records.outputs import classes_name
from knoll.records.signature import Signature, Tensor

__all__ = ["MOST_BINS", "NOT_FINITE", "SAME", "SHOWN", "Bins", "Shown", "bins_of"]

MOST_BINS = 64
SAME = "same"  # the name of the bins of other answers
SHOWN = "knoll.shown"  # in the message that starts an answer
_POWERS, _QUARTERS = 8, 4
_Outputs = Mapping[str, Array]


@dataclass(frozen=True)
class Shown:
    """The first answer of a request: its bin, if it has one by itself, checksums of what was asked and
    answered, and the bin of each facet (see `facets`)."""

    bin: int | None = None
    asked: int = 0
    answered: int = 0
    is_finite: bool = True
    facets: tuple[int, ...] = ()


NOT_FINITE = Shown(is_finite=False)


@dataclass(frozen=True)
class Bins:
    """The bins of a version: their number, and a name that all versions with the same bins share. `find`
    gives the bin of the first row of outputs (B, ...), from 0 to `number` - 1; None if it has none."""

    name: str
    number: int
    find: Callable[[_Outputs], int | None]

    def shown(self, inputs: _Outputs, outputs: _Outputs) -> Shown:
        """What is counted of the first row of a batch."""
        return Shown(self.find(outputs), _checksum(inputs), _checksum(outputs))


def bins_of(signature: Signature) -> Bins:
    """The bins of the first output that has any."""
    for one in signature.outputs:
        if one.labels:
            return _classes(one.name, one.labels)
    for one in signature.outputs:
        if CODECS[one.codec].has_bare_numbers and prod(one.shape[1:]) == 1:
            return _numbers(one)
    return Bins(SAME, 2, lambda _: None)


def number_bin(number: float) -> int:
    """The bin of a finite number, from 0 to 63."""
    part, power = frexp(abs(number))
    quarter = max(int(part * 2 * _QUARTERS) - _QUARTERS, 0)
    return ((number < 0) * _POWERS + power % _POWERS) * _QUARTERS + quarter


def _classes(name: str, labels: Sequence[str]) -> Bins:
    known = sorted(set(labels))
    if len(known) <= MOST_BINS:
        bins, number = [known.index(label) for label in labels], len(known)
    else:
        bins, number = [crc32(label.encode()) % MOST_BINS for label in labels], MOST_BINS

    def find(outputs: _Outputs) -> int | None:
        best = int(outputs[name][0].argmax())
        return bins[best] if best < len(bins) else None

    return Bins(classes_name(labels), number, find)


def _numbers(tensor: Tensor) -> Bins:
    def find(outputs: _Outputs) -> int | None:
        row = outputs[tensor.name][0]
        return number_bin(float(row.flat[0])) if row.size else None

    return Bins("numbers", 2 * _POWERS * _QUARTERS, find)


def _checksum(tensors: _Outputs) -> int:
    found = 0
    for _, batch in sorted(tensors.items()):
        found = crc32(np.ascontiguousarray(batch[0]).data, found)
    return found
