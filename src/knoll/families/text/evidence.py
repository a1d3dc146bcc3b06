"""How many training texts of each class have each word and pair of words, as tokens: what the network takes
for evidence.

A token or a pair of tokens is an n-gram. Its key is a V + b for the tokens a and b of V; a is 0 if b stands
alone.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["PROBES", "bucket", "count_ngrams", "ngram_keys"]

PROBES = 4  # buckets in which an n-gram may be
_AT_ONCE = 2**14  # texts
_FEWEST = 2  # texts with an n-gram that counts
_MOST = 2**16  # n-grams that count
_MOST_COUNTS = 2**19  # their counts, one for each class
_MOST_KNOWN = 2**22  # pairs of n-gram and class while texts are counted; beyond it the rarest are forgotten
_FACTOR, _PRIME = 2654435761, 2**31 - 1

_Keys = NDArray[np.int64]


def ngram_keys(tokens: torch.Tensor, vocabulary: int) -> torch.Tensor:
    """Tokens (B, T) -> keys (B, 2T - 1) of their n-grams; 0 where there is none."""
    numbers = tokens.long()
    first, second = numbers[:, :-1], numbers[:, 1:]
    pairs = torch.where((first > 0) & (second > 0), first * vocabulary + second, 0)
    return torch.cat([numbers, pairs], 1)


def bucket(keys: torch.Tensor, buckets: int) -> torch.Tensor:
    """The first of the buckets in which an n-gram may be, by multiplicative hashing."""
    return keys * _FACTOR % _PRIME % buckets


def count_ngrams(
    tokens: torch.Tensor, targets: torch.Tensor, classes: int, vocabulary: int
) -> dict[str, Any]:
    """`keys` (N,) of the n-grams of tokens (B, T), the most frequent ones first, and the `counts` of texts
    with them (N, classes)."""
    known, counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
    for start in range(0, len(tokens), _AT_ONCE):
        keys = ngram_keys(tokens[start : start + _AT_ONCE], vocabulary).numpy()
        more = _once(keys, targets[start : start + _AT_ONCE].numpy(), classes)
        known, counts = _add(known, counts, more)
    return _most_frequent(known // classes, known % classes, counts, classes)


def _once(keys: _Keys, targets: _Keys, classes: int) -> _Keys:
    """Each n-gram of a text once, with its class: key x classes + class."""
    ordered = np.sort(keys, 1)
    is_first = ordered > 0
    is_first[:, 1:] &= ordered[:, 1:] != ordered[:, :-1]
    return (ordered * classes + targets[:, None])[is_first]


def _add(known: _Keys, counts: _Keys, more: _Keys) -> tuple[_Keys, _Keys]:
    found, places = np.unique(np.concatenate([known, more]), return_inverse=True)
    weights = np.concatenate([counts, np.ones(len(more), np.int64)])
    sums = np.bincount(places, weights, len(found)).astype(np.int64)
    is_kept = sums > 1 if len(found) > _MOST_KNOWN else sums > 0
    return found[is_kept], sums[is_kept]


def _most_frequent(keys: _Keys, targets: _Keys, counts: _Keys, classes: int) -> dict[str, Any]:
    found, places = np.unique(keys, return_inverse=True)
    totals = np.bincount(places, counts, len(found))
    chosen = np.argsort(-totals, kind="stable")[: min(_MOST, _MOST_COUNTS // classes)]
    chosen = chosen[totals[chosen] >= _FEWEST]
    rows = np.full(len(found), -1)
    rows[chosen] = np.arange(len(chosen))
    mine = rows[places] >= 0
    table = np.zeros((len(chosen), classes), np.int64)
    table[rows[places[mine]], targets[mine]] = counts[mine]
    return {"keys": found[chosen].tolist(), "counts": table.tolist()}
