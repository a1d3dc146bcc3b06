"""The codec `text`: a text becomes the numbers of its tokens, byte-level BPE as in
https://arxiv.org/abs/1508.07909.

The options of its tensor say that it `is_text`, and have the name of the `file` with the tokenizer, which
`with_files` adds as `content`, and an `example`. The tensor is int32 (T,): the first
T tokens, and 0 where there are no more.

The package `tokenizers` is imported when the first text is read. So predictors of other families never need
it.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import numpy as np

from knoll.codecs.arrays import Array
from knoll.codecs.codec import Codec
from knoll.codecs.reading import Reading
from knoll.errors import InvalidInstance
from knoll.quoting import shown
from knoll.records.signature import Tensor
from knoll.tables import LONGEST_CELL

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

__all__ = ["TEXT", "open_tokenizer", "padded"]

_TOKEN = 150  # bytes of memory that a byte of a text takes while it is read: it may be a token
_WORD, _BLANK = re.compile(r"\S+"), re.compile(r"\s")
_FIX = 'send a text as a string, or as {"text": "..."}'


def open_tokenizer(content: str) -> "Tokenizer":
    """The tokenizer of tokenizer.json, as the package `tokenizers` writes it. Raises ValueError if it is
    none."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(content)
    except Exception as error:  # of no class of its own
        raise ValueError("tokenizer.json is no tokenizer that can be read") from error
    tokenizer.encode_special_tokens = True  # as the text that they are: a user may write their names
    return tokenizer


def padded(numbers: list[int], size: int) -> Array:
    """int32 (size,): the first numbers, and zeros behind them."""
    row = np.zeros(size, np.int32)
    row[: len(numbers)] = numbers[:size]
    return row


def _decode(value: Any, tensor: Tensor, reading: Reading) -> Array:
    """int32 (T,). Raises InvalidInstance, and what `reading` raises. A text of more tokens is cut, with a
    warning."""
    text, size = _text(value, tensor), tensor.shape[1]
    numbers = _encode(text, tensor, reading).ids
    if len(numbers) > size:
        reading.warn(f"it has {len(numbers):,} tokens, and only the first {size:,} were read")
    return padded(numbers, size)


def _parts(value: Any, tensor: Tensor, reading: Reading) -> Iterator[tuple[str, Array]]:
    """Each word, which is what stands between blanks, and the row of the text without it. Words behind the
    tokens that are read change nothing, and are left out."""
    text, size = _text(value, tensor), tensor.shape[1]
    ends = [end for _, end in _encode(text, tensor, reading).offsets]
    read = ends[min(size, len(ends)) - 1] if ends else 0
    words = [*takewhile(lambda word: word.start() < read, _WORD.finditer(text))]
    # Without a word others move up, but none from behind these.
    most = size + bisect_right(ends, words[-1].end()) if words else len(ends)
    behind = _BLANK.search(text, ends[most - 1]) if most < len(ends) else None
    text = text[: behind.start()] if behind else text
    for word in words:
        reading.check()
        rest = text[: word.start()] + text[word.end() :]
        yield word[0], padded(_encode(rest, tensor, reading).ids, size)


def _encode(text: str, tensor: Tensor, reading: Reading) -> "Encoding":
    tokenizer = tensor.options["content"].made(open_tokenizer)
    with reading.room(_TOKEN * (len(text) if text.isascii() else len(text.encode()))):
        encoding: Encoding = tokenizer.encode(text)
        return encoding


def _text(value: Any, tensor: Tensor) -> str:
    if isinstance(value, dict) and value.keys() == {tensor.name}:
        (value,) = value.values()
    if not isinstance(value, str):
        raise InvalidInstance(f"it is {shown(value)}, and must be a text", fix=_FIX)
    if not value.strip():
        raise InvalidInstance("the text is empty", fix=_FIX)
    if len(value) > LONGEST_CELL:
        raise InvalidInstance(
            f"the text has {len(value):,} characters, more than {LONGEST_CELL:,}", fix="send a part of it"
        )
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidInstance(
            f"character {error.start + 1} of the text is half of a pair (U+{ord(value[error.start]):04X})",
            fix="send whole characters, in UTF-8",
        ) from error
    return value


TEXT = Codec(
    "text",
    decode=_decode,
    example=lambda tensor: tensor.options["example"],
    usual=(0, 2**31 - 1),
    parts=_parts,
)
