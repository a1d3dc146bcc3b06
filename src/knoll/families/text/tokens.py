"""Texts as the numbers of their tokens: byte-level BPE, learnt from the texts that are trained on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from knoll.codecs.text import open_tokenizer, padded

__all__ = ["MOST_TOKENS", "Tokens", "learn_tokenizer", "size_of", "texts_of", "tokenize"]

_NO_TOKEN = "<none>"  # number 0
_LONGEST = 32  # characters of a token
_AT_ONCE = 1024  # texts
MOST_TOKENS = 512  # of a text, if the config does not say how many
_USUAL = 0.99  # that share of the texts is then read as a whole
_LEAST = 8


@dataclass(frozen=True)
class Tokens:
    """`numbers` are int32 (N, T), 0 where a text has no more tokens; `counts` int64 (N,) say how many each
    text has, also those that are cut off."""

    numbers: torch.Tensor
    counts: NDArray[np.int64]

    @property
    def cut(self) -> int:
        """How many texts have more tokens than are read."""
        return int((self.counts > self.numbers.shape[1]).sum())


def learn_tokenizer(texts: Sequence[str], vocabulary: int, *, lowercase: bool) -> str:
    """The content of tokenizer.json. Any text has tokens in it, because each byte is one. The order of the
    texts changes nothing."""
    blanks = [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([*blanks, *([normalizers.Lowercase()] * lowercase)])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=[_NO_TOKEN],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        max_token_length=_LONGEST,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    content: str = tokenizer.to_str()
    return content


def tokenize(content: str, texts: Sequence[str], size: int | None) -> Tokens:
    """The tokens of these texts, by the tokenizer with this content. Without a size T is as large as most
    texts need."""
    tokenizer = open_tokenizer(content)
    found = [numbers for part in _parts(texts) for numbers in _encode(tokenizer, part)]
    counts = np.array([len(one) for one in found], np.int64)
    width = size or _fit(counts)
    rows = np.zeros((len(found), width), np.int32)
    for row, numbers in zip(rows, found, strict=True):
        row[:] = padded(numbers.tolist(), width)
    return Tokens(torch.from_numpy(rows), counts)


def size_of(content: str) -> int:
    """How many different tokens the tokenizer knows, with 0, which is none."""
    return int(open_tokenizer(content).get_vocab_size())


def texts_of(content: str, numbers: torch.Tensor) -> list[str]:
    """The texts with these tokens (N, T), as the tokenizer has read them."""
    tokenizer = open_tokenizer(content)
    return [tokenizer.decode([one for one in row if one]).removeprefix(" ") for row in numbers.tolist()]


def _parts(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    return (texts[start : start + _AT_ONCE] for start in range(0, len(texts), _AT_ONCE))


def _encode(tokenizer: Tokenizer, texts: Sequence[str]) -> Iterator[NDArray[np.int32]]:
    found = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    return (np.array(one.ids, np.int32) for one in found)


def _fit(counts: NDArray[np.int64]) -> int:
    wanted = int(np.quantile(counts, _USUAL, method="higher")) if len(counts) else _LEAST
    return min(max(wanted, _LEAST), MOST_TOKENS)
