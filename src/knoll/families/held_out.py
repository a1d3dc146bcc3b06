"""Which examples are held out from training, by the sha256 of their key: a file stays on its side while the
dataset grows.

A champion and its candidate are then compared on data that neither has learnt from, although the candidate
has seen more.
"""

import hashlib
from collections.abc import Sequence

__all__ = ["held_out"]


def held_out(keys: Sequence[str], labels: Sequence[str], fraction: float) -> list[bool]:
    """For each key, whether it is held out: about `fraction` of each label's keys, at least one of them, and
    never all."""
    places = [_place(key) for key in keys]
    lowest: dict[str, float] = {}
    highest: dict[str, float] = {}
    for place, label in zip(places, labels, strict=True):
        lowest[label] = min(place, lowest.get(label, place))
        highest[label] = max(place, highest.get(label, place))
    return [
        place == lowest[label] or (place < fraction and place != highest[label])
        for place, label in zip(places, labels, strict=True)
    ]


def _place(key: str) -> float:
    """Where the key falls in [0, 1)."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64
