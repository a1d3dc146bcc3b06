"""Interactions become histories of users; the last item of each is held out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from knoll.errors import BadFiles, InvalidData
from knoll.families.base import DataPart, Examples, Files
from knoll.families.held_out import held_out
from knoll.families.recommender.declaration import RecommenderConfig
from knoll.families.recommender.histories import Histories, histories_of, known_histories
from knoll.families.recommender.interactions import read_interactions
from knoll.families.recommender.neighbours import co_counts, largest, weights_of
from knoll.quantities import in_words

__all__ = ["TARGETS", "RecommenderData"]

TARGETS = 16  # items that a user takes next, of which a step learns
_MATRIX = 4 * 4  # bytes for each pair of items: counts, their inverse, and weights


class RecommenderData(DataPart[RecommenderConfig]):
    """A row is (history as int32 (L,), the items that follow as int32 (TARGETS,)); 0 is none. Rows that are
    trained on name no items that follow: see `RecommenderLearning.augment`."""

    streams = True

    def examples(self, files: Files, config: RecommenderConfig) -> Examples:
        """Read all interactions, and count which items are taken together. Raises InvalidData that names
        files or columns, or what does not fit into memory."""
        read = read_interactions(files, config)
        found = histories_of(read, config)
        items = len(found.items)
        _check_room(items, files.room)
        is_kept = held_out(found.users, [""] * len(found.users), config.held_out)
        pairs = [*zip(found.taken, is_kept, strict=True)]
        learnt = _rows([taken[:-1] if one else taken for taken, one in pairs], config.history)
        counts = co_counts(learnt, items)
        columns, weights = largest(weights_of(counts, config.regularization), config.neighbours)
        users = counts.diagonal() + 1
        about = {
            "items": [*found.items],
            "shares": (users / users.sum()).tolist(),
            "columns": columns.tolist(),
            "weights": weights.tolist(),
            "users": {name: learnt[row].tolist() for row, name in enumerate(found.users)},
        }
        asked = _asked([taken for taken, one in pairs if one], config.history)
        return Examples(
            (learnt, _no_targets(len(learnt))), asked, about, (_note(found, read.items),), read.bad
        )

    def golden(self, files: Files, about: Mapping[str, Any], config: RecommenderConfig) -> Examples:
        """The users of the golden set, whose last item is asked for. Raises InvalidData that names bad files
        and rows, and if no user has taken two items of the data."""
        read = read_interactions(files, config)
        if read.bad.bad:
            raise BadFiles(read.bad.named)
        found = known_histories(read, about["items"])
        if not found.users:
            raise InvalidData(
                "no user has taken two items of the data", fix="add interactions with its items"
            )
        asked = _asked(found.taken, config.history)
        return Examples(asked, asked, about)


def _asked(taken: Sequence[np.ndarray], size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The histories without their last items, and these."""
    targets = _no_targets(len(taken))
    targets[:, 0] = torch.tensor([int(one[-1]) for one in taken], dtype=torch.int32)
    return _rows([one[:-1] for one in taken], size), targets


def _no_targets(rows: int) -> torch.Tensor:
    return torch.zeros(rows, TARGETS, dtype=torch.int32)


def _rows(taken: Sequence[np.ndarray], size: int) -> torch.Tensor:
    """The latest items of each, int32 (N, L), with zeros before them."""
    rows = np.zeros((len(taken), size), np.int32)
    for row, one in zip(rows, taken, strict=True):
        latest = one[-size:]
        row[size - len(latest) :] = latest
    return torch.from_numpy(rows)


def _note(found: Histories, read: Mapping[str, int]) -> str:
    pairs = sum(map(len, found.taken))
    left = len(read) - len(found.items)
    told = f"{len(found.users):,} users have taken {pairs:,} times one of {len(found.items):,} items"
    return f"{told}; {left:,} items that too few have taken are left out" if left else told


def _check_room(items: int, room: int) -> None:
    if (need := _MATRIX * (items + 1) ** 2) > room:
        raise InvalidData(
            f"which of {items:,} items go together takes {in_words(need)} of memory, and there is room for "
            f"{in_words(room)}",
            fix="raise spec.training.resources.memory, or lower items in the config",
        )
