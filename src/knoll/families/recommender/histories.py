"""What each user has taken, in order: each item once, by its number from 1 on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from knoll.errors import InvalidData
from knoll.families.recommender.declaration import RecommenderConfig
from knoll.families.recommender.interactions import Interactions

__all__ = ["Histories", "histories_of", "known_histories"]

_ItemNumbers = NDArray[np.int64]
_FEWEST = 3  # items and users


@dataclass(frozen=True)
class Histories:
    """The names of items, of which the first has the number 1, and of users, with what each has taken, the
    latest last."""

    items: Sequence[str]
    users: Sequence[str]
    taken: Sequence[_ItemNumbers]


def histories_of(found: Interactions, config: RecommenderConfig) -> Histories:
    """Those of users with enough items, of items with enough users. Raises InvalidData if few are left."""
    who, what = _first_times(found)
    who, what = _frequent(who, what, config)
    numbers = np.unique(what)
    if len(numbers) < _FEWEST or len(np.unique(who)) < _FEWEST:
        raise InvalidData(
            f"{len(np.unique(who)):,} users have taken {config.min_items} items or more that "
            f"{config.min_users} users or more have taken, and there must be {_FEWEST} of each",
            fix="add data, or lower minUsers and minItems in the config",
        )
    names = [*found.items]
    items = sorted(names[one] for one in numbers)
    places = {name: place for place, name in enumerate(items, 1)}
    return _by_user(found, who, np.array([places[names[one]] for one in what], np.int64), items)


def known_histories(found: Interactions, items: Sequence[str]) -> Histories:
    """Those with the items that are known; others are left out, and users with fewer than two of them."""
    places = {name: place for place, name in enumerate(items, 1)}
    number_of = np.array([places.get(name, 0) for name in found.items], np.int64)
    who, what = _first_times(found)
    is_known = number_of[what] > 0
    made = _by_user(found, who[is_known], number_of[what[is_known]], items)
    kept = [place for place, taken in enumerate(made.taken) if len(taken) > 1]
    return Histories(items, [made.users[one] for one in kept], [made.taken[one] for one in kept])


def _first_times(found: Interactions) -> tuple[_ItemNumbers, _ItemNumbers]:
    """Users and items in the order of time, each pair once: the first time counts."""
    who, what = (np.frombuffer(column, np.int64) for column in (found.who, found.what))
    order = np.argsort(np.frombuffer(found.when, np.float64), kind="stable")
    _, first = np.unique(who[order] * len(found.items) + what[order], return_index=True)
    kept = order[np.sort(first)]
    return who[kept], what[kept]


def _frequent(
    who: _ItemNumbers, what: _ItemNumbers, config: RecommenderConfig
) -> tuple[_ItemNumbers, _ItemNumbers]:
    """Rows of items and users with enough of each other, and of the most frequent items."""
    while len(who):
        counts = np.bincount(what)
        least = max(
            config.min_users, 1 + np.sort(counts)[-config.items - 1] if len(counts) > config.items else 0
        )
        kept = (counts[what] >= least) & (np.bincount(who)[who] >= config.min_items)
        if kept.all():
            break
        who, what = who[kept], what[kept]
    return who, what


def _by_user(found: Interactions, who: _ItemNumbers, what: _ItemNumbers, items: Sequence[str]) -> Histories:
    names, order = [*found.users], np.argsort(who, kind="stable")
    users, starts = np.unique(who[order], return_index=True)
    taken = np.split(what[order], starts[1:]) if len(users) else []
    pairs = sorted(zip((names[one] for one in users), taken, strict=True), key=lambda pair: pair[0])
    return Histories(items, [name for name, _ in pairs], [numbers for _, numbers in pairs])
