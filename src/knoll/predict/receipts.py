"""Receipts: the ids of answers, with which true labels come back.

A receipt says which version gave the answer, when, to which request and with which labels, and is proved with
the key that all predictors of a Model share. So any of them can join a label to its prediction, or compare an
answer of its own with it, without a store, and also after the one that answered has ended. It says no more
than the client has been told.
"""

import hashlib
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass

from knoll.names import MODEL_NAME, VERSION_NAME
from knoll.proofs import RECEIPT_PURPOSE, is_proven, prove

__all__ = [
    "MOST_ANSWERS",
    "Receipt",
    "body_digest",
    "new_id",
    "new_receipt",
    "read_receipt",
    "receipt_text",
    "short_digest",
]

MOST_ANSWERS = 100  # of one receipt, which travels in a header
_WIDTH = (
    6  # letters for each answer: two labels of a thousand are the same with a probability of 1 in 140,000
)
_TEXT = re.compile(
    rf"(?P<said>(?P<model>{MODEL_NAME.pattern})\.(?P<version>{VERSION_NAME.pattern})"
    rf"\.(?P<at>[0-9a-f]{{1,12}})\.(?P<nonce>[0-9a-f]{{16}})"
    rf"\.(?P<body>[0-9a-f]{{16}})"
    rf"\.(?P<answers>(?:[-\w]{{{_WIDTH}}}){{1,{MOST_ANSWERS}}}))\.(?P<proof>[0-9a-f]{{64}})",
    re.ASCII,
)


@dataclass(frozen=True)
class Receipt:
    """An answer: its version, its time in seconds since 1970, a number that is used once, the digest of the
    body of its request, and the short digest of the label of each instance."""

    model: str
    version: str
    at: int
    nonce: str
    body: str
    answers: tuple[str, ...]


def new_id() -> str:
    """A number that is used once: 16 random digits in hex."""
    return secrets.token_hex(8)


def new_receipt(
    model: str, version: str, at: int, body: bytes, answers: Iterable[str], nonce: str = ""
) -> Receipt:
    """The receipt of the answer to a body with labels of these short digests, MOST_ANSWERS at most."""
    return Receipt(model, version, at, nonce or new_id(), body_digest(body), tuple(answers))


def receipt_text(receipt: Receipt, key: str) -> str:
    """The receipt as a header has it."""
    parts = receipt.model, receipt.version, f"{receipt.at:x}", receipt.nonce
    said = ".".join([*parts, receipt.body, "".join(receipt.answers)])
    return f"{said}.{prove(key, RECEIPT_PURPOSE, said.encode())}"


def read_receipt(text: str, key: str) -> tuple[Receipt | None, bool]:
    """What the text says, None if it is no receipt; and whether the key has proved it."""
    match = _TEXT.fullmatch(text)
    if match is None:
        return None, False
    joined = match["answers"]
    answers = tuple(joined[start : start + _WIDTH] for start in range(0, len(joined), _WIDTH))
    facts = match["model"], match["version"], int(match["at"], 16), match["nonce"], match["body"]
    receipt = Receipt(*facts, answers)
    return receipt, is_proven(match["proof"], key, RECEIPT_PURPOSE, match["said"].encode())


def body_digest(body: bytes) -> str:
    """The first 16 digits of the sha256 of a body."""
    return hashlib.sha256(body).hexdigest()[:16]


def short_digest(label: str) -> str:
    """Six letters for a label, the same in every version."""
    return urlsafe_b64encode(hashlib.sha256(label.encode()).digest())[:_WIDTH].decode()
