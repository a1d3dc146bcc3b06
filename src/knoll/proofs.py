"""Proofs that somebody with a key has said something: HMAC-SHA256, in hex.

The key of a Revision follows from the key of the platform and from what the Revision serves. So only the
platform's key is kept, and the key of a Revision proves nothing for another one.
"""

import hmac
import json

__all__ = [
    "LABELS_PURPOSE",
    "RECEIPT_PURPOSE",
    "RECORDED_PURPOSE",
    "REPLAY_PURPOSE",
    "REPORT_PURPOSE",
    "derived_key",
    "is_proven",
    "prove",
]

REPORT_PURPOSE = "report"  # a proof for one purpose is none for the other
REPLAY_PURPOSE = "replay"
RECEIPT_PURPOSE = "receipt"
LABELS_PURPOSE = "labels"
RECORDED_PURPOSE = "recorded"


def derived_key(key: str, *facts: str) -> str:
    """The key for these facts, which says nothing about `key`."""
    return _code(key, json.dumps(["revision", *facts]).encode())


def prove(key: str, purpose: str, body: bytes) -> str:
    """The proof that somebody with the key means these bytes for this purpose."""
    return _code(key, f"{purpose}\n".encode() + body)


def is_proven(proof: str, key: str, purpose: str, body: bytes) -> bool:
    """Whether the key has made the proof."""
    return hmac.compare_digest(proof.encode(), prove(key, purpose, body).encode())


def _code(key: str, body: bytes) -> str:
    return hmac.digest(key.encode(), body, "sha256").hex()
