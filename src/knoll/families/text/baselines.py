"""A usual way to tell the class of a text, without a network: logistic regression on TF-IDF of its words."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from torch import nn

__all__ = ["regress_words"]

_WORD = re.compile(r"\w+")
_MOST_WORDS, _MOST_WEIGHTS = 50_000, 2**22  # weights are words x classes
_STRENGTH = 3.0  # of the data against the penalty of weights, C in scikit-learn
_STEPS = 100


def regress_words(
    learnt: Sequence[str], targets: torch.Tensor, asked: Sequence[str], classes: int
) -> torch.Tensor:
    """Logits (N, classes) of the texts that are asked about, by logistic regression with an L2 penalty on the
    texts that are learnt, with classes `targets`.

    The weight of a word in a text is (1 + ln n) (1 + ln ((1 + N) / (1 + d))), where n is how often it is
    there, and d in how many of N texts; then the weights of a text are scaled to a length of 1.
    """
    words = [Counter(_WORD.findall(text.lower())) for text in learnt]
    frequencies = Counter(word for one in words for word in one)
    most = min(_MOST_WORDS, _MOST_WEIGHTS // classes)
    known = sorted(frequencies, key=lambda word: (-frequencies[word], word))[:most]
    rarity = {word: 1 + math.log((1 + len(learnt)) / (1 + frequencies[word])) for word in known}
    places = {word: place for place, word in enumerate(known)}
    weights = _fit(_matrix(words, rarity, places), targets, classes)
    counted = [Counter(_WORD.findall(text.lower())) for text in asked]
    with torch.no_grad():
        logits: torch.Tensor = torch.sparse.mm(_matrix(counted, rarity, places), weights[1:]) + weights[0]
        return logits


def _matrix(
    words: Sequence[Mapping[str, int]], rarity: Mapping[str, float], places: Mapping[str, int]
) -> torch.Tensor:
    """Sparse (N, W)."""
    rows, columns, values = [], [], []
    for row, one in enumerate(words):
        found = {word: (1 + math.log(count)) * rarity[word] for word, count in one.items() if word in places}
        length = math.hypot(*found.values()) or 1.0
        rows += [row] * len(found)
        columns += [places[word] for word in found]
        values += [value / length for value in found.values()]
    size = len(words), max(1, len(places))
    return torch.sparse_coo_tensor(
        torch.tensor([rows, columns]), torch.tensor(values), size, check_invariants=True
    ).coalesce()


@torch.enable_grad()
def _fit(matrix: torch.Tensor, targets: torch.Tensor, classes: int) -> torch.Tensor:
    """The bias and the weights (1 + W, classes)."""
    weights = torch.zeros(1 + matrix.shape[1], classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        logits = torch.sparse.mm(matrix, weights[1:]) + weights[0]
        wrong = nn.functional.cross_entropy(logits, targets, reduction="sum")
        total = wrong + weights[1:].square().sum() / (2 * _STRENGTH)
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return weights.detach()
