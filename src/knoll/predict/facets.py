"""Facets: a few numbers of each request and answer, to be compared with the samples of the version.

The samples are held-out data of the training. Their quintiles are the bounds of the bins, so that no
predictor has to keep numbers, and the counts of all replicas add up. Facets are

- of a tensor with 8 numbers or fewer: each of them;
- of a text: how many of its tokens are read;
- of another larger one, such as a picture: the mean and the spread (standard deviation) of its numbers, of
  4,096 of them at most;
- of an answer with classes: the highest probability.

Of a request with several instances only the first one counts, as in `bins`. A facet that is the same in all
samples is left out, and so are all of a version with fewer than 16 samples.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from knoll.codecs import CODECS, Array, decode
from knoll.records.facets import FACET_BINS, MOST_FACETS
from knoll.records.samples import Sample
from knoll.records.signature import Signature, Tensor

__all__ = ["FacetBins", "facets_of"]

_FEWEST = 16
_MOST_NUMBERS = 8
_MOST_READ = 4096
_Named = Mapping[str, float]


@dataclass(frozen=True)
class FacetBins:
    """The facets of a version by name, the inner ends of the bins of each, and its samples in each bin."""

    signature: Signature
    edges: Mapping[str, Array]
    expected: tuple[tuple[int, ...], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, in order."""
        return tuple(self.edges)

    def find(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> tuple[int, ...]:
        """The bin of each facet, from 0 to FACET_BINS - 1, for the first row of batches (B, ...) by name;
        empty if a facet is missing there."""
        if not self.edges:
            return ()
        rows = {name: batch[0] for name, batch in {**inputs, **outputs}.items()}
        found = dict(_facets_of_row(self.signature, rows))
        if not found.keys() >= self.edges.keys():
            return ()  # a request of another shape
        return tuple(_bin(edges, found[name]) for name, edges in self.edges.items())


def facets_of(signature: Signature, samples: Sequence[Sample]) -> FacetBins:
    """The facets of a version, by its samples."""
    rows = [dict(_facets_of_row(signature, _row_of(signature, one))) for one in samples]
    known = set.intersection(*map(set, rows)) if len(rows) >= _FEWEST else set()
    names = [name for name in (rows[0] if rows else ()) if name in known]
    values = {name: np.array([row[name] for row in rows]) for name in names}
    kept = [name for name, column in values.items() if np.isfinite(column).all() and np.ptp(column) > 0]
    parts = np.arange(1, FACET_BINS) / FACET_BINS
    edges = {name: np.quantile(values[name], parts) for name in kept[:MOST_FACETS]}
    return FacetBins(signature, edges, tuple(_counts(one, values[name]) for name, one in edges.items()))


def _bin(edges: Array, number: float) -> int:
    return int(np.searchsorted(edges, number, side="right"))


def _counts(edges: Array, numbers: Iterable[float]) -> tuple[int, ...]:
    found = [_bin(edges, one) for one in numbers]
    return tuple(found.count(index) for index in range(FACET_BINS))


def _row_of(signature: Signature, sample: Sample) -> Mapping[str, Array]:
    """The inputs of a sample, and the numbers that its training answered."""
    rows = {name: batch[0] for name, batch in decode([sample.instance], signature).items()}
    is_one = len(signature.outputs) == 1
    for one in signature.outputs:
        answer = sample.prediction if is_one else (sample.prediction or {}).get(one.name)
        if (numbers := _numbers(answer)) is not None:
            rows[one.name] = numbers
    return rows


def _numbers(answer: Any) -> Array | None:
    """The numbers of an answer in JSON; None if it has others or none."""
    if isinstance(answer, Mapping):
        answer = [*answer.get("probabilities", {}).values()]
    try:
        found = np.asarray(answer, np.float64)
    except (TypeError, ValueError):
        return None
    return found if found.size else None


def _facets_of_row(signature: Signature, rows: Mapping[str, Array]) -> Iterator[tuple[str, float]]:
    for tensor in (*signature.inputs, *signature.outputs):
        if tensor.name in rows and not CODECS[tensor.codec].is_noise:
            yield from _facets_of_tensor(tensor, rows[tensor.name])


def _facets_of_tensor(tensor: Tensor, row: Array) -> Iterator[tuple[str, float]]:
    flat = np.asarray(row).reshape(-1)
    if not flat.size:
        return
    if tensor.takes_text:
        yield f"{tensor.name} tokens", float(np.count_nonzero(flat))
    elif tensor.labels:
        yield f"{tensor.name} highest", float(flat.max())
    elif flat.size == 1:
        yield tensor.name, float(flat[0])
    elif flat.size <= _MOST_NUMBERS:
        yield from ((f"{tensor.name}[{index}]", float(one)) for index, one in enumerate(flat))
    else:
        read = flat[:: -(-flat.size // _MOST_READ)].astype(np.float64)
        yield f"{tensor.name} mean", float(read.mean())
        yield f"{tensor.name} spread", float(read.std())
