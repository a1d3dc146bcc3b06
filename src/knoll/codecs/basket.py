"""The codec `basket`: a user, or the items that somebody has, become the numbers of these items.

The options of its tensor name the `file` with the catalogue, which `with_files` adds as `content`, and an
`example`. The catalogue is {"items": names, "users": {name: numbers of items}}; the first item has the number
1. The tensor is int32 (L,): the latest items, and 0 before them where there are fewer.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from knoll.codecs.arrays import Array, Warn
from knoll.codecs.codec import Codec
from knoll.codecs.known import fault_of_names
from knoll.codecs.reading import Reading
from knoll.data_files import normal
from knoll.errors import InvalidInstance
from knoll.quoting import shown, some_of
from knoll.records.signature import Tensor
from knoll.tables import category_of

__all__ = ["BASKET", "Catalogue", "open_catalogue"]

_FIX = (
    'send {"user": "..."}, or {"items": ["...", "..."]}, the latest last; {"items": []} asks for popular ones'
)
_MOST = 10_000  # items of a request


@dataclass(frozen=True)
class Catalogue:
    """The names of items, their numbers by name, from 1 on, and the items of each user."""

    items: Sequence[str]
    places: Mapping[str, int]
    users: Mapping[str, Sequence[int]]


def open_catalogue(content: str) -> Catalogue:
    """The catalogue of catalogue.json. Raises ValueError if it is none."""
    found = json.loads(content)
    if not isinstance(found, dict) or not {"items", "users"} <= found.keys():
        raise ValueError("catalogue.json has no items and users")
    items = tuple(map(str, found["items"]))
    return Catalogue(items, {name: place for place, name in enumerate(items, 1)}, found["users"])


def _decode(value: Any, tensor: Tensor, reading: Reading) -> Array:
    """int32 (L,). Raises InvalidInstance, and what `reading` raises. Unknown items are left out with a
    warning, unless all are unknown."""
    known = tensor.options["content"].made(open_catalogue)
    sent = value if isinstance(value, dict) else {"items": value}
    if not sent or not sent.keys() <= {"user", "items"}:
        raise InvalidInstance(f"it is {shown(value)}, and must be a user, or a list of items", fix=_FIX)
    taken = [*_of_user(sent["user"], known)] if "user" in sent else []
    return _row([*taken, *_places(sent.get("items", []), known, reading)], tensor.shape[1])


def _of_user(user: Any, known: Catalogue) -> Sequence[int]:
    name = _name(user, "user")
    if fault := fault_of_names([name], known.users.keys(), "user"):
        raise InvalidInstance(fault, fix='send what the user has: {"items": [...]}')
    return known.users[name]


def _places(items: Any, known: Catalogue, reading: Reading) -> list[int]:
    if not isinstance(items, list) or len(items) > _MOST:
        raise InvalidInstance(
            f"items is {shown(items)}, and must be a list of {_MOST:,} names at most", fix=_FIX
        )
    names = [_name(one, "item") for one in items]
    found = [known.places[name] for name in names if name in known.places]
    if names and not found:
        raise InvalidInstance(fault_of_names(names, known.places.keys(), "item"), fix=_FIX)
    if unknown := [name for name in names if name not in known.places]:
        reading.warn(f"{some_of(unknown)} is unknown, and was left out")
    return found


def _name(value: Any, kind: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InvalidInstance(f"the {kind} is {shown(value)}, and must be a name", fix=_FIX)
    return category_of(normal(value) if isinstance(value, str) else value)


def _row(taken: Sequence[int], size: int) -> Array:
    """Each item once, at its latest place."""
    latest = [*dict.fromkeys(reversed(taken))][:size]
    row = np.zeros(size, np.int32)
    row[size - len(latest) :] = latest[::-1]
    return row


def _fitted(batch: Array, tensor: Tensor, _: Warn) -> Array:
    """Rows (B, L) of numbers that the catalogue has. Raises InvalidInstance for others."""
    most = len(tensor.options["content"].made(open_catalogue).items)
    if ((batch < 0) | (batch > most)).any():
        wrong = batch[(batch < 0) | (batch > most)][0]
        raise InvalidInstance(f"the item {wrong} is unknown; they are 1 to {most:,}, and 0 is none")
    return batch


BASKET = Codec(
    "basket",
    decode=_decode,
    example=lambda tensor: {"items": list(tensor.options["example"])},
    usual=(0, 2**31 - 1),
    fitted=_fitted,
)
