"""A network of two parts for texts: what n-grams tell by their counts, and what a convolutional network over
tokens adds to that.

The first part needs no training but for a scale and a bias. It is naive Bayes, whose terms are
log P(class | n-gram) - log P(class). Counts of the training texts tell too much of these texts themselves. So
while it trains, each text is left out of the counts that it is judged by; then the scale is honest, and the
other part learns what is left to learn. The other part is as in https://arxiv.org/abs/1408.5882.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from knoll.families.text.declaration import TextConfig
from knoll.families.text.evidence import PROBES, bucket, ngram_keys

__all__ = ["TextNetwork"]

_WIDTHS = (1, 2, 3)  # tokens that a convolution sees
_PRIOR = 4.0  # texts without the n-gram that are added to its counts, spread as the classes are
_SCALE = 1.5  # of the evidence, before it is learnt
_SPREAD = 0.1  # of fresh embeddings


class NgramEvidence(nn.Module):
    """Tokens (B, T) -> the sum over their n-grams of log P(class | n-gram) - log P(class), (B, K)."""

    keys: torch.Tensor
    counts: torch.Tensor
    shares: torch.Tensor

    def __init__(self, about: Mapping[str, Any]) -> None:
        super().__init__()
        self.vocabulary = about["vocabulary"]
        ngrams, classes = about["ngrams"], len(about["classes"])
        self.register_buffer("shares", torch.tensor(about["shares"]))
        places = _place(ngrams["keys"])
        buckets = _buckets(len(ngrams["keys"]))
        keys, rows = [0] * buckets, [[0] * classes] * buckets
        for row, place in places.items():
            keys[place], rows[place] = ngrams["keys"][row], ngrams["counts"][row]
        self.register_buffer("keys", torch.tensor(keys))
        self.register_buffer("counts", torch.tensor(rows, dtype=torch.float32))

    def forward(self, tokens: torch.Tensor, targets: torch.Tensor | None = None) -> torch.Tensor:
        """With `targets` (B,) the tokens are those of texts that were counted, and are left out."""
        keys, buckets = ngram_keys(tokens, self.vocabulary), len(self.keys)
        probes = torch.arange(PROBES, device=keys.device)
        places = (bucket(keys, buckets)[..., None] + probes) % buckets  # (B, L, PROBES)
        is_there = (self.keys[places] == keys[..., None]) & (keys > 0)[..., None]
        place = places.gather(2, is_there.int().argmax(2, keepdim=True))[..., 0]
        counts = self.counts[place]  # (B, L, K)
        if targets is not None:
            own = nn.functional.one_hot(targets, counts.shape[2])
            counts = (counts - own[:, None]).clamp(min=0)
        counts = counts * is_there.any(2)[..., None]
        share = (counts + _PRIOR * self.shares) / (counts.sum(2, keepdim=True) + _PRIOR)
        return (share / self.shares).log().sum(1)


class TextNetwork(nn.Module):
    """Tokens (B, T) -> logits (B, K). `targets` as in `NgramEvidence`."""

    def __init__(self, about: Mapping[str, Any], config: TextConfig) -> None:
        super().__init__()
        self.evidence = NgramEvidence(about)
        classes, width = len(about["classes"]), config.width
        self.scale = nn.Parameter(torch.tensor(_SCALE))
        self.bias = nn.Parameter(torch.tensor(about["shares"]).log())
        self.embedding = nn.Embedding(about["vocabulary"], config.embedding)
        nn.init.normal_(self.embedding.weight, std=_SPREAD)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(config.embedding, width, size, padding=size - 1) for size in _WIDTHS
        )
        self.dropout = nn.Dropout(config.dropout)
        self.leave = nn.Linear(width * len(_WIDTHS), classes)

    def forward(self, tokens: torch.Tensor, targets: torch.Tensor | None = None) -> torch.Tensor:
        is_token = (tokens > 0)[..., None]
        told = self.evidence(tokens, targets) * (is_token.sum(1).clamp(min=1) ** -0.5)
        inner = (self.embedding(tokens.long()) * is_token).transpose(1, 2)
        found = torch.cat([one(inner).relu().amax(2) for one in self.convolutions], 1)
        logits: torch.Tensor = self.bias + self.scale * told + self.leave(self.dropout(found))
        return logits


def _buckets(ngrams: int) -> int:
    """A power of two, so that half of the buckets are empty at least."""
    return 1 << max(PROBES, (2 * ngrams).bit_length())


def _place(keys: list[int]) -> dict[int, int]:
    """The bucket of each n-gram by its number. One that finds no free bucket has none."""
    buckets = _buckets(len(keys))
    taken: dict[int, int] = {}
    for row, first in enumerate(bucket(torch.tensor(keys, device="cpu"), buckets).tolist() if keys else ()):
        place = next(
            (one % buckets for one in range(first, first + PROBES) if one % buckets not in taken), None
        )
        if place is not None:
            taken[place] = row
    return {row: place for place, row in taken.items()}
