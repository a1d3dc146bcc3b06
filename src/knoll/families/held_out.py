"""Which examples are held out from training, by the sha256 of their key.

A file stays on its side while the dataset grows. So champion and candidate are compared on data that neither
has seen in training, even if the candidate was trained on more data.
"""

import hashlib
from collections.abc import Sequence

__all__ = ["held_out"]


def held_out(keys: Sequence[str], labels: Sequence[str], fraction: float) -> list[bool]:
    """Whether each key is held out: about `fraction` of each label's keys, at least one, and never all of
    two or more."""
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
    """The place of the key in [0, 1)."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64
